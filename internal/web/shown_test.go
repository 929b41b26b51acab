package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// agedFiles has one file.
type agedFiles struct{ pando.Files }

func (agedFiles) Open(context.Context, *pando.Request, string, string, string, pando.FileQuery) (*pando.File, error) {
	content := section{io.NewSectionReader(strings.NewReader("hello"), 0, 5)}
	return &pando.File{ReadSeekCloser: content, Name: "f", ContentType: "text/plain", Size: 5}, nil
}

// TestWhateverAnswersIsMarked: it came to be old while the request waited.
func TestWhateverAnswersIsMarked(t *testing.T) {
	for _, c := range []struct{ name, method, url string }{
		{"a record", "GET", createURL + "/x"},
		{"an answer without a body", "DELETE", createURL + "/x"},
		{"a file", "GET", "/api/files/open/x/f"},
		{"a page", "GET", "/page"},
		{"the page for what is not there", "GET", "/nowhere"},
		{"a page of the program's own", "GET", "/_/"},
		{"a route of the program's own", "GET", "/own"},
		{"another", "GET", "/func"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var age time.Duration
			answers := func(w http.ResponseWriter) { io.WriteString(w, "hello") }
			h := newFake().handler(t, func(cfg *Config) {
				cfg.Age = func() time.Duration { return age }
				cfg.Await = func(context.Context) error { age = time.Second; return nil }
				cfg.Files = agedFiles{}
				cfg.Pages = pagesOf{func(w http.ResponseWriter, _ *http.Request) { answers(w) }}
				cfg.Settings = lateSettings{cfg.Settings, func() {
					if c.url == "/_/" { // which does not wait
						age = time.Second
					}
				}}
				cfg.Extra = []Route{
					{Pattern: "GET /own", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answers(w) })},
					{Pattern: "GET /func", Func: func(w http.ResponseWriter, _ *http.Request) error { answers(w); return nil }},
				}
			})
			if w := request(h, c.method, c.url, ""); w.Header().Get("Age") != "1" {
				t.Errorf("%d, Age %q", w.Code, w.Header().Get("Age"))
			}
		})
	}
}

// knownCollections, and the others here, read nothing.
type knownCollections struct{ pando.Collections }

func (knownCollections) List(context.Context, pando.ListQuery) (pando.Answer, error) {
	return pando.Answer("{}"), nil
}

func (knownCollections) View(context.Context, string, string) (pando.Answer, error) {
	return pando.Answer("{}"), nil
}

type knownAuth struct{ fakeAuth }

func (knownAuth) Methods(context.Context, string, string) (pando.Answer, error) {
	return pando.Answer("{}"), nil
}

type knownSettings struct{ fakeSettings }

func (knownSettings) View(context.Context, string) (pando.Answer, error) {
	return pando.Answer("{}"), nil
}

// TestNothingOlderIsShownWhereNothingIsRead: a client that has seen more than this server
// knows is not answered by what that knows.
func TestNothingOlderIsShownWhereNothingIsRead(t *testing.T) {
	for _, seen := range []error{nil, &pando.Error{Kind: pando.KindUnavailable}} {
		f := newFake()
		h := f.handler(t, func(c *Config) {
			c.Collections, c.Auth, c.Settings = knownCollections{}, knownAuth{}, knownSettings{fakeSettings{f: f}}
			c.Positions = &Positions{
				Judge: func(context.Context, position.Token) position.Verdict { return position.Holds },
				Void:  func(context.Context, position.Token) bool { return false },
				Seen:  func(context.Context) error { return seen },
			}
		})
		want := http.StatusOK
		if seen != nil {
			want = http.StatusServiceUnavailable
		}
		for _, url := range []string{"/api/collections/open/auth-methods", "/api/collections", "/api/collections/open", "/api/settings"} {
			if w := request(h, "GET", url, "", "X-Pos: 0", "Authorization: super"); w.Code != want {
				t.Errorf("%s: %d, want %d", url, w.Code, want)
			}
		}
	}
}

// lateAuth looks a token up, and others change the settings meanwhile.
type lateAuth struct {
	fakeAuth
	f *fake
}

func (a lateAuth) Identify(ctx context.Context, token string) (*pando.Record, error) {
	a.f.settings = pando.DefaultSettings()
	a.f.settings.SuperuserIPs = []string{"10.0.0.1"}
	return a.fakeAuth.Identify(ctx, token)
}

// TestSettingsAreThoseBehindTheToken: a route that does not wait goes by no older ones.
func TestSettingsAreThoseBehindTheToken(t *testing.T) {
	f := newFake()
	h := f.handler(t, func(c *Config) { c.Auth = lateAuth{f: f} })
	for _, url := range []string{"/metrics", "/debug/pprof/cmdline"} {
		f.settings = pando.DefaultSettings()
		if w := request(h, "GET", url, "", "Authorization: super"); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", url, w.Code)
		}
	}
}

// TestNoBodyIsTakenForEmpty: a collection that comes to be while its record is created is
// not given an empty one.
func TestNoBodyIsTakenForEmpty(t *testing.T) {
	f := newFake()
	f.defs = append(f.defs, &pando.Collection{ID: "pbc_2", Name: "shown", Type: pando.TypeView})
	h := f.handler(t)
	for _, c := range []struct {
		method, url string
		status      int
	}{
		{"POST", "/api/collections/later/records", 404},
		{"PATCH", "/api/collections/later/records/x", 404},
		{"POST", "/api/collections/shown/records", 400},
		{"GET", "/api/collections/shown/records", 200},
		{"GET", "/api/collections/later/records", 200}, // by the service
	} {
		if w := request(h, c.method, c.url, `{"a":1}`, jsonType); w.Code != c.status || c.status != 200 && f.req != nil {
			t.Errorf("%s %s: %d, the service was asked: %v", c.method, c.url, w.Code, f.req != nil)
		}
	}
}
