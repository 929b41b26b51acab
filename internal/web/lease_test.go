package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// TestWhatStaysNeedsALease: what is changed is judged by nothing that others may know
// better; who reads, logs in or listens goes on.
func TestWhatStaysNeedsALease(t *testing.T) {
	stop := &pando.Error{Kind: pando.KindUnavailable}
	own := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, wait := range []time.Duration{0, time.Second} {
		var needs bool
		h := newFake().handler(t, func(c *Config) {
			c.LeaseWait = wait
			c.Await = func(ctx context.Context) error { needs = position.NeedsLease(ctx); return stop }
			c.Extra = []Route{{Pattern: "GET /own", Handler: own}, {Pattern: "POST /own", Handler: own}, {Pattern: "/any", Handler: own}}
		})
		ask := func(method, url string, want bool) {
			t.Helper()
			needs = false
			request(h, method, url, "")
			if want = want && wait > 0; needs != want {
				t.Errorf("among others: %v: %s %s needs a lease: %v", wait > 0, method, url, needs)
			}
		}
		patterns := []string{}
		for _, rt := range h.routes() {
			patterns = append(patterns, rt.Pattern)
			if method, url, ok := strings.Cut(rt.Pattern, " "); ok && strings.HasPrefix(url, "/api/") {
				ask(method, strings.NewReplacer("{c}", "open", "{id}", "x", "{name}", "f").Replace(url),
					method != "GET" && !slices.Contains(passing, rt.Pattern))
			}
		}
		for _, p := range passing {
			if !slices.Contains(patterns, p) {
				t.Errorf("there is no route %s", p)
			}
		}
		ask("GET", "/own", false)
		ask("POST", "/own", true)
		ask("GET", "/any", false)
		ask("DELETE", "/any", true)
	}
}
