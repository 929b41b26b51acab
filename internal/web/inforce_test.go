package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/pandobase/pando"
)

// pagesOf is a page at /page, and nothing else.
type pagesOf struct{ http.HandlerFunc }

func (pagesOf) Serves(r *http.Request) bool                     { return r.URL.Path == "/page" }
func (pagesOf) NotFound(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }

// TestAnswersWaitForTheRules: whatever goes by the collections is answered when all
// servers do, refusals too, and not at all if that takes too long.
func TestAnswersWaitForTheRules(t *testing.T) {
	forbidden := &pando.Error{Kind: pando.KindForbidden, Message: "Only superusers can perform this action."}
	away := &pando.Error{Kind: pando.KindUnavailable, Message: "The collections are being changed."}
	for _, c := range []struct {
		name, method, url string
		err               error
		status, held      int
		waits             bool
	}{
		{"a record", "GET", "/api/collections/open/records/x", nil, 200, 503, true},
		{"a refusal", "GET", "/api/collections/open/records/x", forbidden, 403, 503, true},
		{"an answer without a body", "DELETE", "/api/collections/open/records/x", nil, 204, 503, true},
		{"what only superusers may", "GET", "/api/settings", nil, 401, 503, true},
		{"a page", "GET", "/page", nil, 200, 503, true},
		{"a route of the program's own", "GET", "/own", nil, 201, 503, true},
		{"what is not to be had anyway", "GET", "/api/collections/open/records/x", away, 503, 503, false},
		{"health", "GET", "/api/health", nil, 200, 200, false},
		{"a file that is not there", "GET", "/nothing.txt", nil, 404, 404, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, late := range []error{nil, away} {
				f := newFake()
				f.err = c.err
				waited := 0
				h := f.handler(t, func(cfg *Config) {
					cfg.InForce = func(context.Context) error { waited++; return late }
					cfg.Pages = pagesOf{func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }}
					cfg.Extra = []Route{{Pattern: "GET /own", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.WriteHeader(201)
						io.WriteString(w, "own")
					})}}
				})
				w := request(h, c.method, c.url, "")
				want := c.status
				if late != nil {
					want = c.held
				}
				if w.Code != want || waited > 0 != c.waits {
					t.Errorf("late: %v: status %d, want %d; it waited: %d", late, w.Code, want, waited)
				}
				if late != nil && c.waits && (w.Header().Get("Retry-After") == "" || w.Body.String() == "own" || w.Body.String() == "hello") {
					t.Errorf("it is told to come again %q, with %q", w.Header().Get("Retry-After"), w.Body)
				}
			}
		})
	}
}

// TestWhatWasWrittenMayHaveBeen: a write that is made is not told to come again as if
// it were not, whatever keeps its answer back.
func TestWhatWasWrittenMayHaveBeen(t *testing.T) {
	refused := &pando.Error{Kind: pando.KindForbidden}
	const batch = `{"requests":[{"method":"DELETE","url":"/api/collections/open/records/x"}]}`
	for _, c := range []struct {
		method, url, body string
		err               error
		want              string
	}{
		{"POST", "/api/collections/open/records", `{}`, nil, "unknown"},
		{"DELETE", "/api/collections/open/records/x", ``, nil, "unknown"},
		{"POST", "/api/collections", `{}`, nil, "unknown"},
		{"POST", "/api/batch", batch, nil, "unknown"},
		{"POST", "/api/collections/open/records", `{}`, refused, ""},
		{"DELETE", "/api/collections/open/records/x", ``, refused, ""},
		{"POST", "/api/batch", batch, refused, ""},
		{"GET", "/api/collections/open/records/x", ``, nil, ""},
	} {
		f := newFake()
		f.err, f.settings.Batch.Enabled = c.err, true
		h := f.handler(t, func(cfg *Config) {
			cfg.InForce = func(context.Context) error { return &pando.Error{Kind: pando.KindUnavailable} }
		})
		w := request(h, c.method, c.url, c.body, "Authorization: super", "Content-Type: application/json")
		var got struct{ Data struct{ Outcome string } }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s %s: %v in %s", c.method, c.url, err, w.Body)
		}
		if w.Code != 503 || got.Data.Outcome != c.want {
			t.Errorf("%s %s, %v: %d %s, want the outcome %q", c.method, c.url, c.err, w.Code, w.Body, c.want)
		}
	}
}

// TestNothingBeforeItIsKnown: who does not hear of the others' changes looks nothing up.
func TestNothingBeforeItIsKnown(t *testing.T) {
	f := newFake()
	h := f.handler(t, func(cfg *Config) {
		cfg.Await = func(context.Context) error {
			return &pando.Error{Kind: pando.KindUnavailable, Err: errors.New("no lease")}
		}
		cfg.Pages = pagesOf{func(http.ResponseWriter, *http.Request) { t.Error("a page was made") }}
	})
	for _, url := range []string{"/api/collections/open/records/x", "/page", "/nowhere"} {
		if w := request(h, "GET", url, ""); w.Code != 503 || f.req != nil {
			t.Errorf("%s: %d, asked: %v", url, w.Code, f.req)
		}
	}
}
