package web

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
)

type fakeInstaller struct{ got string }

func (f *fakeInstaller) CheckInstallToken(_ context.Context, token string) error {
	if token != "good" || f.got != "" {
		return &pando.Error{Kind: pando.KindForbidden, Message: "The install link is not valid."}
	}
	return nil
}

func (f *fakeInstaller) Install(ctx context.Context, token, email, password string) error {
	if err := f.CheckInstallToken(ctx, token); err != nil {
		return err
	}
	if !strings.Contains(email, "@") {
		return &pando.Error{Kind: pando.KindInvalid, Message: "Failed.", Data: pando.FieldErrors{
			"email": &pando.FieldError{Code: "validation_is_email", Message: "Must be a valid email address."}}}
	}
	f.got = email + " " + password
	return nil
}

func TestInstall(t *testing.T) {
	installer := &fakeInstaller{}
	h := newFake().handler(t, func(c *Config) { c.Installer = installer })
	page := request(h, "GET", "/_/install/good", "")
	if page.Code != 200 || !strings.Contains(page.Body.String(), `<form method="post">`) || page.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("form: %d %v", page.Code, page.Header())
	}
	for _, test := range []struct {
		url, body, header string
		status            int
		want              string
	}{
		{"/_/install/bad", "", "", 403, "not valid"},
		{"/_/install/bad", "email=a@b.co&password=12345678&passwordConfirm=12345678", "", 403, "not valid"},
		{"/_/install/good", "email=a@b.co&password=12345678&passwordConfirm=other", "", 400, "differ"},
		{"/_/install/good", "email=%3Cb%3E&password=12345678&passwordConfirm=12345678", "", 400, "Must be a valid email address."},
		{"/_/install/good", "email=a@b.co&password=12345678&passwordConfirm=12345678", "Origin: http://evil.example", 403, "own page"},
		{"/_/install/good", strings.Repeat("a", 20<<10), "", 413, "too large"},
		{"/_/install/good", "email=a@b.co&password=12345678&passwordConfirm=12345678", "Origin: http://example.com", 200, "Superuser created"},
		{"/_/install/good", "email=c@d.co&password=12345678&passwordConfirm=12345678", "", 403, "not valid"},
	} {
		method := "POST"
		if test.body == "" {
			method = "GET"
		}
		header := []string{formType}
		if test.header != "" {
			header = append(header, test.header)
		}
		w := request(h, method, test.url, test.body, header...)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s %q: %d %s", test.url, test.body[:min(len(test.body), 40)], w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "<b>") {
			t.Error("the address is not escaped")
		}
	}
	if installer.got != "a@b.co 12345678" {
		t.Errorf("created %q", installer.got)
	}
}

func TestOperatorRoutes(t *testing.T) {
	var down error
	h := newFake().handler(t, func(c *Config) {
		c.Registry = prometheus.NewRegistry()
		c.Ready = func() error { return down }
		c.Status = func() map[string]any { return map[string]any{"cacheBytes": 5} }
	})
	get := func(admin bool, url, token string, status int, want string) {
		t.Helper()
		handler := h.Admin()
		if !admin {
			handler = h
		}
		w := request(handler, "GET", url, "", "Authorization: "+token)
		if w.Code != status || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s (admin %v, %q): %d %.200s", url, admin, token, w.Code, w.Body)
		}
	}
	request(h, "GET", "/api/health", "")
	for _, admin := range []bool{true, false} {
		get(admin, "/livez", "", 200, "ok")
		get(admin, "/readyz", "", 200, "ok")
		get(admin, "/readyz?verbose", "super", 200, "cacheBytes: 5")
		get(admin, "/metrics", "super", 200, `pando_http_requests_total{code="200",method="GET",route="/api/health"} 1`)
		get(admin, "/debug/pprof/", "super", 200, "goroutine")
	}
	get(false, "/metrics", "", 401, "")
	get(false, "/metrics", "user", 403, "")
	get(false, "/debug/pprof/", "", 401, "")
	get(false, "/readyz?verbose", "", 200, "ok\n")
	get(true, "/nope", "", 404, "")
	down = errors.New("no disk")
	get(false, "/readyz", "", 503, "unready")
	get(true, "/readyz?verbose", "", 503, "no disk")
	down = nil
	h.Drain()
	get(false, "/readyz", "", 503, "unready")
	get(false, "/livez", "", 200, "ok")
}
