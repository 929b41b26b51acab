package pages_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/pages"
)

const who = `{{if .User}}{{.User.email}}{{else}}guest{{end}}`

func TestLogin(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": who})
	c := s.browser(t)
	res := s.post(t, c, "/-/login", credentials("ada", "next", "/after?x=1"))
	if res.StatusCode != 303 || res.Header.Get("Location") != "/after?x=1" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("login: %d %v", res.StatusCode, res.Header)
	}
	cookie := res.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Secure || cookie.Domain != "" || cookie.MaxAge != 0 {
		t.Errorf("cookie: %s", res.Header.Get("Set-Cookie"))
	}
	if res := s.get(t, c, "/"); res.body != "ada@example.com" {
		t.Errorf("logged in: %q", res.body)
	}

	res = s.post(t, c, "/-/logout", url.Values{"next": {"/bye"}})
	if res.StatusCode != 303 || res.Header.Get("Location") != "/bye" || res.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout: %d %v", res.StatusCode, res.Header)
	}
	if res := s.get(t, c, "/"); res.body != "guest" {
		t.Errorf("logged out: %q", res.body)
	}

	// A token that is none, or stands for nobody any more, makes a guest.
	for _, value := range []string{"nonsense", cookie.Value + "x", ""} {
		if res := s.get(t, s.browser(t), "/", "Cookie", "pando_session="+value); res.body != "guest" {
			t.Errorf("cookie %q: %q", value, res.body)
		}
	}
	s.Update(t, s.ada, map[string]any{"tokenKey": strings.Repeat("k", 50)})
	if res := s.get(t, s.browser(t), "/", "Cookie", "pando_session="+cookie.Value); res.body != "guest" {
		t.Errorf("revoked cookie: %q", res.body)
	}
}

func TestLoginFails(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": who})
	wrong := credentials("ada")
	wrong.Set("password", "wrong")
	tests := []struct {
		name     string
		form     url.Values
		headers  []string
		status   int
		location string
	}{
		{"wrong password", wrong, nil, 303, "/login?login=failed&x=1"},
		{"nobody", credentials("nobody"), nil, 303, "/login?login=failed&x=1"},
		{"nothing", url.Values{}, nil, 303, "/login?login=failed&x=1"},
		{"no such collection", credentials("ada", "collection", "none"), nil, 303, "/login?login=failed&x=1"},
		{"no auth collection", credentials("ada", "collection", "posts"), nil, 303, "/login?login=failed&x=1"},
		{"no referer", wrong, []string{"Referer", ""}, 303, "/"},
		{"foreign referer", wrong, []string{"Referer", "https://evil.example/login"}, 303, "/"},
		{"too large", url.Values{"identity": {strings.Repeat("x", 17<<10)}}, nil, 400, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := s.post(t, s.browser(t), "/-/login", tt.form, tt.headers...)
			if res.StatusCode != tt.status || res.Header.Get("Location") != tt.location || len(res.Cookies()) != 0 {
				t.Errorf("%d to %q, cookies %v; want %d to %q and none", res.StatusCode, res.Header.Get("Location"), res.Cookies(), tt.status, tt.location)
			}
		})
	}
	req := s.request(t, "POST", "/-/login", strings.NewReader("identity=%zz"), "Origin", s.URL, "Content-Type", "application/x-www-form-urlencoded")
	if res := do(t, s.browser(t), req); res.StatusCode != 400 {
		t.Errorf("malformed: %d", res.StatusCode)
	}
	if res := s.get(t, s.browser(t), "/-/login"); res.StatusCode != 404 {
		t.Errorf("GET: %d", res.StatusCode)
	}
	if log := s.log.String(); strings.Contains(log, "wrong") || strings.Contains(log, "ada-password") {
		t.Errorf("a password is in the log: %s", log)
	}
}

// TestLoginBusy: when too many passwords are being checked, the form says so.
func TestLoginBusy(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": who})
	if err := s.passwords.Close(); err != nil { // as full as a queue can be
		t.Fatal(err)
	}
	res := s.post(t, s.browser(t), "/-/login", credentials("ada"))
	if res.StatusCode != 303 || res.Header.Get("Location") != "/login?login=busy&x=1" {
		t.Errorf("%d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

func TestFormsOfOtherSites(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": who})
	host := strings.TrimPrefix(s.URL, "http://")
	tests := []struct {
		origin, site string
		ok           bool
	}{
		{s.URL, "", true},
		{"https://" + host, "", true}, // a proxy in front ends TLS
		{s.URL, "same-origin", true},
		{"", "same-origin", true},
		{"", "", false},
		{"", "same-site", false},
		{"", "cross-site", false},
		{"", "none", false},
		{"null", "same-origin", false},
		{"https://evil.example", "same-origin", false},
		{"http://" + host + ".evil.example", "", false},
		{"http://evil.example/" + host, "", false},
		{"http://" + host + "@evil.example", "", false},
		{"::", "", false},
	}
	for _, path := range []string{"/-/login", "/-/logout"} {
		for _, tt := range tests {
			res := s.post(t, s.browser(t), path, credentials("ada"), "Origin", tt.origin, "Sec-Fetch-Site", tt.site)
			want := 303
			if !tt.ok {
				want = 403
			}
			if res.StatusCode != want || len(res.Cookies()) > 0 != tt.ok {
				t.Errorf("%s Origin %q Sec-Fetch-Site %q: %d %v, want %d", path, tt.origin, tt.site, res.StatusCode, res.Cookies(), want)
			}
			if secure := strings.Contains(res.Header.Get("Set-Cookie"), "Secure"); secure != (tt.ok && strings.HasPrefix(tt.origin, "https:")) {
				t.Errorf("%s Origin %q: secure cookie %v", path, tt.origin, secure)
			}
		}
	}
}

func TestRedirectsStayHere(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": who})
	tests := []struct{ next, want string }{
		{"/notes", "/notes"},
		{"/a/b?next=//c#d", "/a/b?next=//c#d"},
		{"", "/"},
		{"//evil.example", "/"},
		{"///evil.example", "/"},
		{`/\evil.example`, "/"},
		{`\\evil.example`, "/"},
		{"/\t/evil.example", "/"},
		{"/\n/evil.example", "/"},
		{"https://evil.example", "/"},
		{"evil.example", "/"},
		{"javascript:alert(1)", "/"},
	}
	for _, tt := range tests {
		for _, path := range []string{"/-/login", "/-/logout"} {
			res := s.post(t, s.browser(t), path, credentials("ada", "next", tt.next))
			if got := res.Header.Get("Location"); res.StatusCode != 303 || got != tt.want {
				t.Errorf("%s next=%q: %d to %q, want %q", path, tt.next, res.StatusCode, got, tt.want)
			}
		}
	}
	wrong := credentials("ada", "password", "wrong")
	for _, referer := range []string{s.URL + "//evil.example/x", s.URL + `/\evil.example`, "//evil.example/"} {
		res := s.post(t, s.browser(t), "/-/login", wrong, "Referer", referer)
		if got := res.Header.Get("Location"); strings.HasPrefix(got, "//") || strings.Contains(got, `\`) || strings.Contains(got, "://") {
			t.Errorf("Referer %q: sent to %q", referer, got)
		}
	}
}

func TestSecureCookieUnderTLS(t *testing.T) {
	s := newSite(t, map[string]string{"index.html": who})
	req := httptest.NewRequest("POST", "https://site.example/-/login", strings.NewReader(credentials("ada").Encode()))
	req.TLS = new(tls.ConnectionState)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	w := httptest.NewRecorder()
	s.Config.Handler.ServeHTTP(w, req)
	if set := w.Header().Get("Set-Cookie"); w.Code != 303 || !strings.Contains(set, "; Secure") || !strings.Contains(set, "; HttpOnly") || !strings.Contains(set, "; SameSite=Lax") {
		t.Errorf("%d %q", w.Code, set)
	}
}

// TestSuperuserAddresses: a superuser's cookie counts for the addresses only
// that the settings allow.
func TestSuperuserAddresses(t *testing.T) {
	allowed := true
	s := newSite(t, map[string]string{"index.html": who}, func(o *pages.Options) {
		o.RealIP = func(*http.Request) string { return "192.0.2.1" }
		o.CheckIP = func(rec *pando.Record, ip string) error {
			if rec.IsSuperuser() && !allowed && ip == "192.0.2.1" {
				return fmt.Errorf("not from %s", ip)
			}
			return nil
		}
	})
	root, ada := s.login(t, "root", "collection", "_superusers"), s.login(t, "ada")
	if res := s.get(t, root, "/"); res.body != "root@example.com" {
		t.Errorf("allowed: %q", res.body)
	}
	allowed = false
	if res := s.get(t, root, "/"); res.body != "guest" {
		t.Errorf("not allowed: %q", res.body)
	}
	if res := s.get(t, ada, "/"); res.body != "ada@example.com" {
		t.Errorf("a user: %q", res.body)
	}
}

// TestUserInPages: the visitor's record has the form of records in lists.
func TestUserInPages(t *testing.T) {
	s := newSite(t, map[string]string{
		"index.html": `{{with .User}}{{.id}} {{.tags}} {{index .tags 0}} {{.place.lat}} {{.data.deep}} {{.big}} {{gt .big 5}}{{end}}`,
	})
	s.Change(t, "users", func(c *pando.Collection) {
		for i, f := range []pando.Field{
			{Name: "tags", Type: pando.FieldSelect, Options: &pando.SelectOptions{Values: []string{"a", "b"}, MaxSelect: 2}},
			{Name: "place", Type: pando.FieldGeoPoint, Options: pando.NewOptions(pando.FieldGeoPoint)},
			{Name: "data", Type: pando.FieldJSON, Options: pando.NewOptions(pando.FieldJSON)},
			{Name: "big", Type: pando.FieldNumber, Options: pando.NewOptions(pando.FieldNumber)},
		} {
			f.ID = fmt.Sprint("more", i)
			c.Fields = append(c.Fields, &f)
		}
	})
	s.Update(t, s.ada, map[string]any{
		"tags": []string{"a", "b"}, "place": pando.GeoPoint{Lon: 1, Lat: 2}, "data": json.RawMessage(`{"deep":[1]}`), "big": 1e7,
	})
	want := s.ada.ID() + " [a b] a 2 [1] 10000000 true"
	if res := s.get(t, s.login(t, "ada"), "/"); res.body != want {
		t.Errorf("%d %q, want %q", res.StatusCode, res.body, want)
	}
}
