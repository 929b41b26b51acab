package web

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

func TestRateLimits(t *testing.T) {
	rule := func(label string, max int, audience ...string) pando.RateLimitRule {
		r := pando.RateLimitRule{Label: label, Duration: 10, MaxRequests: max}
		if len(audience) > 0 {
			r.Audience = audience[0]
		}
		return r
	}
	const record, health = createURL + "/x", "/api/health"
	for _, test := range []struct {
		name  string
		rules []pando.RateLimitRule
		calls []string // "METHOD path [token]"
		want  []int
	}{
		{"off where no rule fits", []pando.RateLimitRule{rule("/other", 1)}, repeat(3, "GET "+health), []int{200, 200, 200}},
		{"the collection's rule before the path's", []pando.RateLimitRule{rule("/api/", 1), rule("*:create", 3)}, repeat(4, "POST "+createURL), []int{200, 200, 200, 429}},
		{"named before starred", []pando.RateLimitRule{rule("*:view", 9), rule("open:view", 1)}, repeat(2, "GET "+record), []int{200, 429}},
		{"records share a window", []pando.RateLimitRule{rule("*:view", 1)}, []string{"GET " + record, "GET " + record + "y"}, []int{200, 429}},
		{"collections do not", []pando.RateLimitRule{rule("*:list", 1)}, []string{"GET " + createURL, "GET /api/collections/other/records", "GET " + createURL}, []int{200, 200, 429}},
		{"routes do not share a prefix rule", []pando.RateLimitRule{rule("/api/", 1)}, []string{"GET " + health, "GET " + createURL, "GET " + health}, []int{200, 200, 429}},
		{"method before path", []pando.RateLimitRule{rule(health, 1), rule("GET "+health, 2)}, repeat(3, "GET "+health), []int{200, 200, 429}},
		{"exact before prefix", []pando.RateLimitRule{rule("/api/", 1), rule(health, 2)}, repeat(3, "GET "+health), []int{200, 200, 429}},
		{"audience", []pando.RateLimitRule{rule(health, 1, "@guest"), rule("/api/", 2, "@auth")},
			[]string{"GET " + health, "GET " + health, "GET " + health + " user", "GET " + health + " user", "GET " + health + " user"}, []int{200, 429, 200, 200, 429}},
		{"superusers are free", []pando.RateLimitRule{rule("/api/", 1)}, repeat(3, "GET "+health+" super"), []int{200, 200, 200}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			f.defs = append(f.defs, &pando.Collection{ID: "pbc_2", Name: "other"})
			f.settings.RateLimits = pando.RateLimitSettings{Enabled: true, Rules: test.rules}
			h := f.handler(t)
			var got []int
			for _, call := range test.calls {
				var method, path, token string
				fmt.Sscan(call, &method, &path, &token)
				got = append(got, request(h, method, path, "", "Authorization: "+token).Code)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func repeat(n int, s string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestRateLimitWindowsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.settings.RateLimits = pando.RateLimitSettings{Enabled: true, Rules: []pando.RateLimitRule{{Label: "/api/", Duration: 5, MaxRequests: 1}}}
		h := f.handler(t)
		call := func(want int) {
			t.Helper()
			if got := request(h, "GET", "/api/health", "").Code; got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		}
		call(200)
		call(429)
		time.Sleep(6 * time.Second) // of the test's own clock
		call(200)
		call(429)
		changed := *f.settings
		f.settings = &changed
		call(200) // a change of the settings starts anew
	})
}
