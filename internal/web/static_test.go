package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStatic(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "public")
	script := strings.Repeat("console.log('x');\n", 200)
	for name, content := range map[string]string{
		"public/index.html": "<p>index", "public/app.js": script, "public/docs/index.html": "<p>docs", "public/.env": "SECRET=1",
		"public/.well-known/x": "known", "secret.txt": "outside", "public/empty/.keep": "",
	} {
		path := filepath.Join(outside, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "secret.txt"), filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	h := newFake().handler(t, func(c *Config) { c.PublicDir = dir })

	for _, test := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/", 200, "<p>index"},
		{"GET", "/app.js", 200, script},
		{"HEAD", "/app.js", 200, ""},
		{"GET", "/docs/", 200, "<p>docs"},
		{"GET", "/docs?a=1", 308, ""},
		{"GET", "/.well-known/x", 200, "known"},
		{"GET", "/some/route/of/the/app", 200, "<p>index"},
		{"GET", "/missing.js", 404, ""},
		{"GET", "/.env", 404, ""},
		{"GET", "/docs/../.env", 307, ""},
		{"GET", "/..%2fsecret.txt", 404, ""},
		{"GET", "/%2e%2e/secret.txt", 404, ""},
		{"GET", "/docs/..%5c..%5csecret.txt", 404, ""},
		{"GET", "/link.txt", 404, ""},
		{"GET", "/app.js%00", 404, ""},
		{"POST", "/app.js", 404, ""},
		{"GET", "/api/missing", 404, ""},
	} {
		w := request(h, test.method, test.path, "")
		if w.Code != test.status || test.status == 200 && w.Body.String() != test.want {
			t.Errorf("%s %s: %d %.80q", test.method, test.path, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "outside") || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%s: a secret got out", test.path)
		}
	}
	if got := request(h, "GET", "/docs?a=1", "").Header().Get("Location"); got != "./docs/?a=1" {
		t.Errorf("Location %q", got)
	}
	if w := request(h, "GET", "/missing.js", "", "Accept: text/html"); w.Code != 200 {
		t.Errorf("a page asked for by a browser: %d", w.Code)
	}

	w := request(h, "GET", "/app.js", "", "Accept-Encoding: gzip")
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("not compressed: %v", w.Header())
	}
	zr, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(zr)
	if err != nil || string(plain) != script {
		t.Errorf("decompressed: %v, %d bytes", err, len(plain))
	}
	for _, encoding := range []string{"", "gzip"} {
		tag := request(h, "GET", "/app.js", "", "Accept-Encoding: "+encoding).Header().Get("ETag")
		if tag == "" {
			t.Fatal("no ETag")
		}
		if w := request(h, "GET", "/app.js", "", "If-None-Match: "+tag, "Accept-Encoding: "+encoding); w.Code != http.StatusNotModified {
			t.Errorf("with ETag %s: %d", tag, w.Code)
		}
	}
	if w := request(h, "GET", "/app.js", "", "Range: bytes=0-6"); w.Code != 206 || w.Body.String() != "console" {
		t.Errorf("range: %d %q", w.Code, w.Body)
	}

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if w := request(h, "GET", "/", ""); w.Code != 404 {
		t.Errorf("without the directory: %d", w.Code)
	}
}
