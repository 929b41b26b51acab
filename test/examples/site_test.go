package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/webtest"
	"github.com/pandobase/pando/test/target"
)

// site is a server under test, as its visitors see it.
type site struct {
	*target.Server
	ctx context.Context
}

// page is an answer that has been read.
type page struct {
	status int
	header http.Header
	body   string
}

func (s *site) do(t *testing.T, c *http.Client, method, path string, body io.Reader, headers ...string) page {
	t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = s.URL + path
	}
	res, text := webtest.Do(t, c, webtest.Request(s.ctx, t, method, target, body, headers...))
	return page{res.StatusCode, res.Header, text}
}

func (s *site) get(t *testing.T, path string) page {
	t.Helper()
	return s.do(t, http.DefaultClient, "GET", path, nil)
}

// shows fails if the page does not say all of want.
func (s *site) shows(t *testing.T, path string, status int, want ...string) {
	t.Helper()
	res := s.get(t, path)
	if res.status != status {
		t.Errorf("%s: %d, want %d", path, res.status, status)
	}
	if !strings.HasPrefix(res.header.Get("Content-Type"), "text/html") {
		t.Errorf("%s: %s", path, res.header.Get("Content-Type"))
	}
	for _, w := range want {
		if !strings.Contains(res.body, w) {
			t.Errorf("%s does not show %s", path, w)
		}
	}
}

func (s *site) json(t *testing.T, path string, into any) {
	t.Helper()
	res := s.get(t, path)
	if res.status != 200 {
		t.Fatalf("%s: %d %s", path, res.status, res.body)
	}
	if err := json.Unmarshal([]byte(res.body), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// send sends JSON and returns the answer's status and body.
func (s *site) send(t *testing.T, method, path, token string, body any) (int, string) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	res := s.do(t, http.DefaultClient, method, path, bytes.NewReader(b), "Content-Type", "application/json", "Authorization", token)
	return res.status, res.body
}

// auth logs in over the API and returns the token.
func (s *site) auth(t *testing.T, collection, identity, password string) string {
	t.Helper()
	status, body := s.send(t, "POST", "/api/collections/"+collection+"/auth-with-password", "",
		map[string]string{"identity": identity, "password": password})
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		t.Fatalf("login of %s: %d %s", identity, status, body)
	}
	return answer.Token
}

func (s *site) superuser(t *testing.T) string {
	t.Helper()
	return s.auth(t, "_superusers", s.Email, s.Password)
}

// metrics are the counters of the admin listener, by name and labels.
func (s *site) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for line := range strings.Lines(s.do(t, http.DefaultClient, "GET", s.Admin+"/metrics", nil).body) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if f, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[name] = f
		}
	}
	return out
}

// browser is a visitor with cookies, who has a page before them.
type browser struct {
	*site
	client *http.Client
	page   page
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{site: s, client: &http.Client{Jar: jar}}
}

// submit posts a form of the page at from, and follows where it leads.
func (b *browser) submit(t *testing.T, from, action string, form url.Values) {
	t.Helper()
	if p := b.do(t, b.client, "GET", from, nil); !strings.Contains(p.body, `action="`+action+`"`) {
		t.Errorf("%s has no form for %s", from, action)
	}
	b.page = b.do(t, b.client, "POST", action, strings.NewReader(form.Encode()),
		"Content-Type", "application/x-www-form-urlencoded", "Origin", b.URL, "Referer", b.URL+from)
}
