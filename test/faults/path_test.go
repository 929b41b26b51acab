package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are, and returns the answer of a well-formed one.
func (a *api) raw(t *testing.T, request string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	go io.WriteString(conn, request) // the server may answer before it has read everything
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	return answer{res.StatusCode, res.Header, b}
}

func rawGet(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
}

// secretText lies where no request may get to.
const secretText = "the-secret-beside-the-public-files"

// tricks are paths that try to leave the place they belong to.
var tricks = []string{
	"..", "../", "../../secret.txt", "..%2f..%2fsecret.txt", "%2e%2e/%2e%2e/secret.txt", "%2e%2e%2f%2e%2e%2fsecret.txt",
	"..%5c..%5csecret.txt", "..\\..\\secret.txt", "....//....//secret.txt", "%252e%252e%252fsecret.txt", "..%c0%af..%c0%afsecret.txt",
	"..%00/secret.txt", "secret.txt%00.png", "%00", "%2fetc%2fpasswd", "//etc/passwd", "/%2fetc/passwd", "file:///etc/passwd",
	".env", ".git/config", "%2eenv", "a/.env", "link", "link/secret.txt", "dirlink/secret.txt", "pipe", "C:%5cwindows%5cwin.ini", "con", "nul.txt", "aux.html",
	"..;/secret.txt", "%ff%fe", "a%0d%0aSet-Cookie:%20x=1", strings.Repeat("a", 5_000), strings.Repeat("a/", 2_000), strings.Repeat("../", 2_000) + "etc/passwd",
	"data.db", "..%2fdata%2fdata.db", "%2e%2e/data/data.db",
}

func TestPathTricks(t *testing.T) {
	root := t.TempDir()
	public, pages, data := filepath.Join(root, "public"), filepath.Join(root, "pages"), filepath.Join(root, "data")
	for path, text := range map[string]string{
		root + "/secret.txt": secretText, public + "/.env": secretText, public + "/.git/config": secretText, public + "/a/.env": secretText,
		public + "/app.txt": "public", pages + "/posts/[id].html": `<p>{{param "id"}}</p>`, pages + "/_layout.html": `{{block "content" .}}{{end}}`,
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": root + "/secret.txt", "dirlink": root} {
		if err := os.Symlink(to, filepath.Join(public, name)); err != nil {
			t.Fatal(err)
		}
	}
	a := startIn(t, data, nil, "--public-dir", public, "--pages-dir", pages)
	a.collection(t, "things", everyField()...)
	ct, body := form(t, map[string]string{"text": "x"}, [3]string{"file", "a.txt", "content"})
	made := a.must(t, a.send(t, "POST", records("things"), "", ct, body), 200)
	id, name := str(t, made.body, "id"), str(t, made.body, "file")

	bases := []string{
		"/", "/a/", "/posts/", "/_/", "/_/install/", "/api/files/things/" + id + "/", "/api/files/things/", "/api/files/", "/api/collections/",
		"/api/collections/things/records/", "/-/", "/api/", "/debug/pprof/",
	}
	for _, base := range bases {
		for _, trick := range tricks {
			if strings.ContainsAny(trick, "\\") && base != "/" {
				continue
			}
			got := a.raw(t, rawGet(base+trick))
			if bytes.Contains(got.body, []byte(secretText)) || bytes.Contains(got.body, []byte("root:")) || bytes.Contains(got.body, []byte("SQLite format")) {
				t.Errorf("GET %.100s leaves its place", base+trick)
			}
			if got.header.Get("Set-Cookie") != "" {
				t.Errorf("GET %.100s sets a header of its own", base+trick)
			}
			switch {
			case got.status == 200, got.status >= 300 && got.status < 400:
				if to := got.header.Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "://") {
					t.Errorf("GET %.100s leads away to %s", base+trick, to)
				}
			case strings.HasPrefix(got.header.Get("Content-Type"), "text/html") && got.status == 404, // pages' own, the install link's
				strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") && got.status == 404,
				strings.HasPrefix(got.header.Get("Content-Type"), "text/html") && got.status == 403:
				if m := innards.Find(got.body); m != nil {
					t.Errorf("GET %.100s says %q", base+trick, m)
				}
			default:
				isError(t, got, 400, 401, 403, 404)
				if t.Failed() {
					t.Fatalf("GET %.100s", base+trick)
				}
			}
		}
	}
	for _, trick := range append([]string{"", name + "/", name + "%00", "./" + name, name + "/../" + name, strings.ToUpper(name) + "x"}, tricks...) {
		for _, query := range []string{"", "?thumb=../../../x", "?thumb=100x100&token=%ff%00", "?download=1", "?thumb=" + strings.Repeat("9", 1000) + "x0"} {
			got := a.raw(t, rawGet("/api/files/things/"+id+"/"+strings.ReplaceAll(trick, "\\", "%5c")+query))
			if got.status == 200 && !bytes.Equal(got.body, []byte("content")) {
				t.Errorf("file %.100s: %.100s", trick, got.body)
			}
		}
	}
	a.healthy(t)
	for _, p := range []string{"/app.txt", "/api/files/things/" + id + "/" + name} {
		if got := a.get(t, p, ""); got.status != 200 {
			t.Errorf("%s: %d", p, got.status)
		}
	}
}

// safeName is what stored files may be called.
var safeName = regexp.MustCompile(`^[a-z0-9_]{1,120}_[a-z0-9]{10}(\.[A-Za-z0-9_]{1,20}){0,2}$`)

// TestUploadNames uploads files under names that mean something to some file
// system, shell or browser.
func TestUploadNames(t *testing.T) {
	a := start(t)
	a.collection(t, "things", everyField()...)
	names := []string{
		"../../../etc/cron.d/evil", "..\\..\\evil.exe", "/etc/passwd", "C:\\Windows\\System32\\evil.dll", "..", ".", "...", "~", "-rf", "a\tb.txt",
		"con", "NUL", "aux.txt", "com1.png", "name.", "name ", " name", "a:b.txt", "a|b<c>d?e*.txt", "file.txt::$DATA", "\xff\xfe.txt", "a\xc0\xafb.txt",
		strings.Repeat("n", 10_000) + ".txt", "x." + strings.Repeat("e", 10_000), strings.Repeat(".", 1_000), "a." + strings.Repeat("b.", 1_000) + "tar.gz",
		"名前.png", "\u202egnp.exe", "e\u0301.txt", "<script>alert(1)</script>.html", "'; DROP TABLE things;--.txt", "%2e%2e%2f.txt", "a%00.txt", "..%5c.txt",
		".htaccess", "thumbs_x.png", ".tmp", ".pending", "=x", "data.db",
	}
	seen := map[string]bool{}
	for _, name := range names {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
		body := file("files", quoted, "content") + end
		got := a.send(t, "POST", records("things"), "", "multipart/form-data; boundary="+boundary, strings.NewReader(body))
		if got.status != 200 {
			isError(t, got, 400)
			t.Errorf("%.50q: %d %s", name, got.status, got.body)
			continue
		}
		for _, stored := range strs(t, got.body, "files") {
			if !safeName.MatchString(stored) || seen[stored] {
				t.Errorf("%.50q is stored as %q", name, stored)
			}
			seen[stored] = true
			down := a.get(t, "/api/files/things/"+str(t, got.body, "id")+"/"+stored, "")
			if down.status != 200 || string(down.body) != "content" {
				t.Errorf("%q: %d %.100s", stored, down.status, down.body)
			}
			if d := down.header.Get("Content-Disposition"); !strings.Contains(d, stored) || !strings.HasPrefix(d, "attachment") {
				t.Errorf("%q: Content-Disposition %q", stored, d)
			}
		}
	}
	files, own := storedFiles(t, a.Dir)
	if len(files) != len(seen) || len(own) > 0 {
		t.Errorf("%d files on disk for %d in records; %q", len(files), len(seen), own)
	}
	for _, f := range files {
		if parts := strings.Split(f, "/"); len(parts) != 3 || !seen[parts[2]] {
			t.Errorf("a file lies at %q", f)
		}
	}
	a.healthy(t)
}

// TestHeaders sends headers that no client should.
func TestHeaders(t *testing.T) {
	a := start(t)
	a.collection(t, "things", map[string]any{"name": "text", "type": "text"})
	get := func(headers string) string {
		return "GET " + records("things") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + "\r\n"
	}
	long := strings.Repeat("a", 30_000)
	for name, tt := range map[string]struct {
		request string
		status  []int // those of net/http itself need not be the API's
	}{
		"a header of 1 MB":      {get("X-A: " + strings.Repeat("a", 1<<20) + "\r\n"), []int{431}},
		"100,000 headers":       {get(strings.Repeat("X-A: b\r\n", 100_000)), []int{431}},
		"a URL of 1 MB":         {rawGet("/" + strings.Repeat("a", 1<<20)), []int{431}},
		"a long token":          {get("Authorization: " + long + "\r\n"), []int{200}},
		"a token of dots":       {get("Authorization: " + strings.Repeat(".", 10_000) + "\r\n"), []int{200}},
		"a token that is JSON":  {get("Authorization: {}.{}.{}\r\n"), []int{200}},
		"a token without alg":   {get("Authorization: eyJhbGciOiJub25lIn0.eyJpZCI6IngiLCJ0eXBlIjoiYXV0aCJ9.\r\n"), []int{200}},
		"invalid UTF-8":         {get("Authorization: \xff\xfe\r\nX-A: \xc0\xaf\r\nReferer: \xff\r\n"), []int{200}},
		"many tokens":           {get(strings.Repeat("Authorization: a\r\n", 500)), []int{200}},
		"a long origin":         {get("Origin: " + long + "\r\n"), []int{200}},
		"a bad range":           {get("Range: bytes=9999999999999999999999-\r\n"), []int{200}},
		"a bad forwarded-for":   {get("X-Forwarded-For: " + strings.Repeat("1.2.3.4,", 3_000) + "\r\n"), []int{200}},
		"a header with NUL":     {get("X-A: a\x00b\r\n"), []int{400}},
		"a header without name": {get(": a\r\n"), []int{400}},
		"two lengths":           {get("Content-Length: 1\r\nContent-Length: 2\r\n"), []int{400}},
		"a length below zero":   {get("Content-Length: -1\r\n"), []int{400}},
		"a length of words":     {get("Content-Length: many\r\n"), []int{400}},
		"a huge length":         {get("Content-Length: 9223372036854775807\r\n"), []int{413}},
		"length and chunks":     {get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", []int{200, 400}},
		"an unknown coding":     {get("Transfer-Encoding: gzip\r\n"), []int{501}},
		"a bad chunk": {"POST " + records("things") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n" +
			"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", []int{400}},
		"an endless chunk line": {"POST " + records("things") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("x", 100_000) + "\r\n{}\r\n", []int{400}},
		"no host":           {"GET / HTTP/1.1\r\n\r\n", []int{400}},
		"an unknown method": {"BREW " + records("things") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{404}},
		"HTTP/9":            {"GET / HTTP/9.9\r\nHost: x\r\n\r\n", []int{505}},
		"not HTTP":          {"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", []int{400}},
		"another host":      {"GET http://example.com/api/health HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n", []int{200}},
		"a star":            {"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{200, 204}},
		"TRACE":             {"TRACE /api/health HTTP/1.1\r\nHost: x\r\nX-Secret: y\r\nConnection: close\r\n\r\n", []int{404}},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.raw(t, tt.request)
			ok := false
			for _, s := range tt.status {
				ok = ok || got.status == s
			}
			if !ok {
				t.Errorf("status %d, want %v: %.200s", got.status, tt.status, got.body)
			}
			if m := innards.Find(got.body); m != nil && got.header.Get("Content-Type") == "application/json" {
				t.Errorf("the answer says %q", m)
			}
			if got.status == 413 || got.status == 404 {
				isError(t, got, got.status)
			}
		})
	}
	if n := a.count(t, "things"); n != 0 {
		t.Errorf("%d records", n)
	}
	a.healthy(t)
}

// strs is the texts under one key of a JSON object.
func strs(t *testing.T, body []byte, key string) []string {
	t.Helper()
	var m map[string]json.RawMessage
	var list []string
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
	if err := json.Unmarshal(m[key], &list); err != nil {
		t.Fatalf("%v: %.300s", err, body)
	}
	return list
}
