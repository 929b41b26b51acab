package pages_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/pages"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/webtest"
)

// site is a server of pages over a real data directory.
type site struct {
	*servicetest.Env
	*httptest.Server
	dir       string // of the pages
	log       *logBuffer
	passwords *auth.Passwords
	ada, root *pando.Record // a user and a superuser; their passwords are "ada-password" and "root-password"
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newSite serves files with posts (public), notes (each user's own) and closed
// (superusers only).
func newSite(t *testing.T, files map[string]string, options ...func(*pages.Options)) *site {
	t.Helper()
	s := &site{Env: servicetest.New(t), dir: t.TempDir(), log: new(logBuffer)}
	const title = `{"id":"text2","name":"title","type":"text"}`
	s.Save(t, servicetest.BaseJSON("posts", title, `{"id":"number3","name":"stars","type":"number"}`,
		`{"id":"relation4","name":"author","type":"relation","collectionId":"pbc_users","maxSelect":1}`))
	s.Save(t, servicetest.BaseJSON("notes", title, `{"id":"relation3","name":"owner","type":"relation","collectionId":"pbc_users","maxSelect":1}`))
	s.Change(t, "notes", func(c *pando.Collection) {
		c.ListRule, c.ViewRule = new("owner = @request.auth.id"), new("owner = @request.auth.id")
	})
	s.Save(t, servicetest.BaseJSON("closed", title))
	s.Change(t, "closed", func(c *pando.Collection) { c.ListRule, c.ViewRule = nil, nil })

	s.passwords = auth.NewPasswords(auth.PasswordsConfig{Workers: 1, Queue: 1})
	t.Cleanup(func() { s.passwords.Close() })
	s.ada = s.user(t, "users", "ada")
	s.root = s.user(t, pando.SuperusersName, "root")
	recs := records.New(records.Config{Store: s.Store, Facts: s.Facts, Blobs: s.Blobs, Passwords: s.passwords})
	logins := auth.New(auth.Config{Store: s.Store, Facts: s.Facts, Passwords: s.passwords, Encode: recs.Encode})
	o := pages.Options{Dir: s.dir, Records: recs, Auth: logins, Log: slog.New(slog.NewTextHandler(s.log, nil))}
	for _, set := range options {
		set(&o)
	}
	for name, text := range files {
		s.write(t, name, text)
	}
	p, err := pages.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(p)
	t.Cleanup(s.Server.Close)
	return s
}

func (s *site) user(t *testing.T, collection, name string) *pando.Record {
	t.Helper()
	hash, err := s.passwords.Hash(t.Context(), name+"-password", 4)
	if err != nil {
		t.Fatal(err)
	}
	return s.Insert(t, collection, map[string]any{"email": name + "@example.com", "password": hash})
}

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// browser keeps cookies and does not follow redirects.
func (s *site) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// response is an answer that has been read.
type response struct {
	*http.Response
	body string
}

func do(t *testing.T, c *http.Client, req *http.Request) response {
	t.Helper()
	res, body := webtest.Do(t, c, req)
	return response{res, body}
}

func (s *site) request(t *testing.T, method, path string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	return webtest.Request(t.Context(), t, method, s.URL+path, body, headers...)
}

func (s *site) get(t *testing.T, c *http.Client, path string, headers ...string) response {
	t.Helper()
	return do(t, c, s.request(t, "GET", path, nil, headers...))
}

// post sends a form as a page of this site would, unless headers say otherwise.
func (s *site) post(t *testing.T, c *http.Client, path string, form url.Values, headers ...string) response {
	t.Helper()
	req := s.request(t, "POST", path, strings.NewReader(form.Encode()), append([]string{
		"Content-Type", "application/x-www-form-urlencoded", "Origin", s.URL, "Referer", s.URL + "/login?x=1"}, headers...)...)
	for name, values := range req.Header {
		if values[0] == "" {
			delete(req.Header, name)
		}
	}
	return do(t, c, req)
}

func credentials(name string, more ...string) url.Values {
	form := url.Values{"identity": {name + "@example.com"}, "password": {name + "-password"}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// login is a browser in which a user is logged in.
func (s *site) login(t *testing.T, name string, more ...string) *http.Client {
	t.Helper()
	c := s.browser(t)
	if res := s.post(t, c, "/-/login", credentials(name, more...)); res.StatusCode != 303 || len(res.Cookies()) != 1 {
		t.Fatalf("login: %s %s", res.Status, res.body)
	}
	return c
}
