package server_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/webtest"
	"github.com/pandobase/pando/server"
)

// fetch sends a request and returns the answer with its body read.
func fetch(t *testing.T, c *http.Client, method, url string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	return webtest.Do(t, c, webtest.Request(t.Context(), t, method, url, body, headers...))
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPages: pages in the whole server, beside the API and static files.
func TestPages(t *testing.T) {
	dir := t.TempDir()
	cfg := config(filepath.Join(dir, "data"))
	cfg.PagesDir, cfg.PublicDir = filepath.Join(dir, "pages"), filepath.Join(dir, "public")
	writeFiles(t, dir, map[string]string{
		"pages/index.html":  `{{if .User}}{{.User.email}}{{else}}guest{{end}}`,
		"pages/api/no.html": `never`,
		"pages/404.html":    `nothing at {{.Path}}`,
		"public/index.html": `static index`,
		"public/style.css":  `body{}`,
	})
	r := start(t, cfg)
	token := superuser(t, cfg.Dir, r.info.URL)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	login := func(password string) *http.Response {
		t.Helper()
		form := url.Values{"collection": {"_superusers"}, "identity": {email}, "password": {password}}
		res, _ := fetch(t, c, "POST", r.info.URL+"/-/login", strings.NewReader(form.Encode()),
			"Content-Type", "application/x-www-form-urlencoded", "Origin", r.info.URL)
		return res
	}

	// Headers are those of all answers.
	api, _ := fetch(t, c, "GET", r.info.URL+"/api/health", nil)
	for _, path := range []string{"/", "/nowhere"} {
		res, body := fetch(t, c, "GET", r.info.URL+path, nil)
		for _, name := range []string{"X-Content-Type-Options", "X-Frame-Options", "X-XSS-Protection"} {
			if got, want := res.Header.Get(name), api.Header.Get(name); got != want || want == "" {
				t.Errorf("%s: %s is %q, the API has %q (%s)", path, name, got, want, body)
			}
		}
	}

	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "guest"}, // a page wins over a file
		{"/style.css", 200, "body{}"},
		{"/nowhere", 200, "static index"}, // the single-page app's own routes
		{"/nowhere.js", 404, ""},
		{"/api/no", 404, ""},
	}
	for _, tt := range tests {
		if res, body := fetch(t, c, "GET", r.info.URL+tt.path, nil); res.StatusCode != tt.status || tt.want != "" && body != tt.want {
			t.Errorf("%s: %d %q", tt.path, res.StatusCode, body)
		}
	}
	if err := os.Remove(filepath.Join(dir, "public", "index.html")); err != nil {
		t.Fatal(err)
	}
	if res, body := fetch(t, c, "GET", r.info.URL+"/nowhere", nil); res.StatusCode != 404 || body != "nothing at /nowhere" {
		t.Errorf("neither page nor file: %d %q", res.StatusCode, body)
	}

	// The cookie is for pages only.
	if res := login(password); res.StatusCode != 303 || len(res.Cookies()) != 1 {
		t.Fatalf("login: %s", res.Status)
	}
	if _, body := fetch(t, c, "GET", r.info.URL+"/", nil); body != email {
		t.Errorf("page with the cookie: %q", body)
	}
	for _, path := range []string{"/api/collections", "/api/settings", "/metrics"} {
		if res, body := fetch(t, c, "GET", r.info.URL+path, nil); res.StatusCode != 401 {
			t.Errorf("%s with the cookie: %d %s", path, res.StatusCode, body)
		}
	}
	if res, body := fetch(t, c, "POST", r.info.URL+"/api/batch", strings.NewReader(`{"requests":[]}`), "Content-Type", "application/json"); res.StatusCode < 400 {
		t.Errorf("batch with the cookie: %d %s", res.StatusCode, body)
	}

	// Logins by form count together with logins by the API.
	status, answer := call(t, "PATCH", r.info.URL+"/api/settings", token, map[string]any{"rateLimits": map[string]any{
		"enabled": true, "rules": []map[string]any{{"label": "*:auth", "maxRequests": 2, "duration": 60}},
	}})
	if status != 200 {
		t.Fatalf("rate limits: %d %v", status, answer)
	}
	call(t, "POST", r.info.URL+"/api/collections/_superusers/auth-with-password", "", map[string]string{"identity": email, "password": "wrong"})
	if to := login("wrong").Header.Get("Location"); to != "/" {
		t.Errorf("second login: to %q", to)
	}
	if res := login(password); res.StatusCode != 303 || len(res.Cookies()) != 0 {
		t.Errorf("third login: %d %v", res.StatusCode, res.Cookies())
	}
}

// TestPagesMadeLater: with Reload, the directory need not be there yet.
func TestPagesMadeLater(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.PagesDir, cfg.Reload = filepath.Join(t.TempDir(), "pages"), true
	r := start(t, cfg)
	if res, _ := fetch(t, http.DefaultClient, "GET", r.info.URL+"/hello", nil); res.StatusCode != 404 {
		t.Errorf("before: %d", res.StatusCode)
	}
	writeFiles(t, cfg.PagesDir, map[string]string{"hello.html": "hello"})
	if res, body := fetch(t, http.DefaultClient, "GET", r.info.URL+"/hello", nil); res.StatusCode != 200 || body != "hello" {
		t.Errorf("after: %d %q", res.StatusCode, body)
	}
}

func TestBrokenPages(t *testing.T) {
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.PagesDir = t.TempDir()
	writeFiles(t, cfg.PagesDir, map[string]string{"bad.html": "one\n{{two}}"})
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "bad.html:2") {
		t.Errorf("%v", err)
	}
}
