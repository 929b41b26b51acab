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

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/server"
)

func site(t *testing.T, files map[string]string) server.Config {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg := config(filepath.Join(dir, "data"))
	cfg.PagesDir, cfg.PublicDir = filepath.Join(dir, "pages"), filepath.Join(dir, "public")
	return cfg
}

// TestPages is a visitor's way through a site: as a guest, through the login
// form, and out again.
func TestPages(t *testing.T) {
	cfg := site(t, map[string]string{
		"pages/index.html":      `start {{with .User}}{{.email}}{{end}}`,
		"pages/notes.html":      `{{with list "notes" "sort" "id"}}{{range .items}}[{{.text}}]{{end}}{{end}}`,
		"pages/notes/[id].html": `{{with view "notes" (param "id")}}{{.text}}{{end}}`,
		"public/style.css":      `p{}`,
		"public/index.html":     `static`,
	})
	r := start(t, cfg)
	token := superuser(t, cfg.Dir, r.info.URL)
	must := func(method, path string, body any) {
		t.Helper()
		if status, answer := call(t, method, r.info.URL+path, token, body); status != 200 {
			t.Fatalf("%s: %d %v", path, status, answer)
		}
	}
	must("POST", "/api/collections", map[string]any{
		"name": "notes", "listRule": "owner = @request.auth.id", "viewRule": "owner = @request.auth.id",
		"fields": []map[string]any{{"name": "text", "type": "text"}, {"name": "owner", "type": "text"}},
	})
	for _, user := range []string{"alice0000000001", "bobby0000000001"} {
		must("POST", "/api/collections/users/records", map[string]any{
			"id": user, "email": user[:5] + "@example.com", "password": "password-" + user, "passwordConfirm": "password-" + user})
		must("POST", "/api/collections/notes/records", map[string]any{
			"id": "note" + user[:5] + "000000", "text": "of <" + user[:5] + ">", "owner": user})
	}

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	get := func(path string) (*http.Response, string) {
		t.Helper()
		res, err := browser.Get(r.info.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}
	check := func(path string, status int, want string) *http.Response {
		t.Helper()
		res, body := get(path)
		if res.StatusCode != status || strings.TrimSpace(body) != want {
			t.Errorf("%s: %d %q, want %d %q", path, res.StatusCode, body, status, want)
		}
		return res
	}
	login := func(origin string) *http.Response {
		t.Helper()
		form := url.Values{"identity": {"alice@example.com"}, "password": {"password-alice0000000001"}, "next": {"/notes"}}
		req, err := http.NewRequest("POST", r.info.URL+"/-/login", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res
	}

	check("/", 200, "start")
	check("/notes", 200, "")
	check("/style.css", 200, "p{}")
	if res := login("http://evil.example"); res.StatusCode != 403 {
		t.Errorf("login from another site: %d", res.StatusCode)
	}
	check("/", 200, "start")
	if res := login(r.info.URL); res.StatusCode != 200 || res.Request.URL.Path != "/notes" {
		t.Errorf("login: %d at %s", res.StatusCode, res.Request.URL)
	}
	for _, c := range jar.Cookies(&url.URL{Scheme: "http", Host: strings.TrimPrefix(r.info.URL, "http://")}) {
		if c.Value == "" {
			t.Error("an empty session")
		}
	}
	check("/", 200, "start alice@example.com")
	res := check("/notes", 200, "[of &lt;alice&gt;]")
	if got := res.Header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control of a page with an identity: %q", got)
	}
	check("/notes/notealice000000", 200, "of &lt;alice&gt;")
	if res, body := get("/notes/notebobby000000"); res.StatusCode != 404 || strings.Contains(body, "bobby") {
		t.Errorf("another's note: %d %q", res.StatusCode, body)
	}
	// The session is of pages only.
	if _, body := get("/api/collections/notes/records"); !strings.Contains(body, `"items":[]`) {
		t.Errorf("the API took the cookie: %s", body)
	}
	if res, _ := get("/nothing"); res.StatusCode != 200 { // the app's index
		t.Errorf("unknown path beside a public/index.html: %d", res.StatusCode)
	}
	if res, _ := get("/api/nothing"); res.StatusCode != 404 || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("unknown API path: %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

func TestBrokenPage(t *testing.T) {
	cfg := site(t, map[string]string{"pages/index.html": "a\n{{nonsense}}"})
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Handler()
	if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "index.html:2") || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("%v", err)
	}
}
