package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/overload"
)

// people are who asks: a token stands for whoever is there.
type people struct {
	pando.Auth
	mu    sync.Mutex
	of    map[string]*pando.Record
	asked int
}

func (p *people) Identify(_ context.Context, token string) (*pando.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	return p.of[token], nil
}

func (p *people) set(token string, rec *pando.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[token] = rec
}

func newPeople() *people {
	return &people{of: map[string]*pando.Record{"eve": person("users"), "root": person(pando.SuperusersName)}}
}

func person(collection string) *pando.Record {
	return pando.NewRecord(&pando.Collection{Name: collection, Type: pando.TypeAuth})
}

// lateBody is a body before which something happens.
type lateBody struct {
	io.Reader
	before func()
}

func (b *lateBody) Read(p []byte) (int, error) {
	if b.before != nil {
		b.before()
		b.before = nil
	}
	return b.Reader.Read(p)
}

// TestWhoAsksIsFoundOutBehindTheBody: a body comes as late as its client likes. Who has
// lost his rights meanwhile has none.
func TestWhoAsksIsFoundOutBehindTheBody(t *testing.T) {
	const multipart = "multipart/form-data; boundary=X"
	for _, c := range []struct {
		name, method, url, who, kind, body string
	}{
		{"JSON", "POST", createURL, "eve", "application/json", `{"a":1}`},
		{"a form", "POST", createURL, "eve", "application/x-www-form-urlencoded", "a=1"},
		{"a form with files", "POST", createURL, "eve", multipart, "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n"},
		{"a batch", "POST", "/api/batch", "eve", "application/json", `{"requests":[{"method":"POST","url":"` + createURL + `"}]}`},
		{"a read whose rule sees the body", "GET", createURL, "eve", "application/json", `{"a":1}`},
		{"what is for superusers", "POST", "/api/collections", "root", "application/json", `{"name":"x"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, gone := range []bool{false, true} {
				f, p := newFake(), newPeople()
				f.settings.Batch.Enabled, f.settings.Batch.MaxRequests = true, 10
				h := f.handler(t, func(cfg *Config) { cfg.Auth = p })
				now := person("users")
				if gone {
					now = nil
				}
				r := httptest.NewRequest(c.method, c.url, &lateBody{strings.NewReader(c.body), func() { p.set(c.who, now) }})
				r.ContentLength = -1
				r.Header.Set("Content-Type", c.kind)
				r.Header.Set("Authorization", c.who)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if c.who == "root" {
					want := http.StatusForbidden
					if gone {
						want = http.StatusUnauthorized
					}
					if w.Code != want || f.raw != nil {
						t.Errorf("gone: %v: %d %s", gone, w.Code, w.Body)
					}
					continue
				}
				if w.Code != http.StatusOK || f.req.Auth != now {
					t.Errorf("gone: %v: %d %s; it goes by who he was: %v", gone, w.Code, w.Body, f.req.Auth != now)
				}
			}
		})
	}
}

// TestWhoAsksIsFoundOutOnce: where nothing took long.
func TestWhoAsksIsFoundOutOnce(t *testing.T) {
	p := newPeople()
	h := newFake().handler(t, func(cfg *Config) { cfg.Auth = p })
	if w := request(h, "GET", createURL, "", "Authorization: eve"); w.Code != http.StatusOK || p.asked != 1 {
		t.Errorf("%d, asked %d times", w.Code, p.asked)
	}
}

// failing are people who cannot be looked up behind the body.
type failing struct {
	*people
	err error
}

func (f *failing) Identify(ctx context.Context, token string) (*pando.Record, error) {
	if rec, _ := f.people.Identify(ctx, token); f.asked == 1 {
		return rec, nil
	}
	return nil, f.err
}

// TestWhoAsksIsNotFoundOut: that is no fault of the body.
func TestWhoAsksIsNotFoundOut(t *testing.T) {
	for err, want := range map[error]int{io.ErrUnexpectedEOF: 500, &pando.Error{Kind: pando.KindUnavailable}: 503} {
		h := newFake().handler(t, func(cfg *Config) { cfg.Auth = &failing{newPeople(), err} })
		if w := request(h, "POST", createURL, `{}`, "Authorization: eve", jsonType); w.Code != want {
			t.Errorf("%v: %d, want %d", err, w.Code, want)
		}
	}
}

// deletes keeps who was let through.
type deletes struct {
	*fake
	who *pando.Record
}

func (d *deletes) Delete(_ context.Context, req *pando.Request, _, _ string) error {
	d.who = req.Auth
	return nil
}

// TestWhoAsksIsFoundOutBehindTheQueue: who has lost his rights while he waited for a place
// has none.
func TestWhoAsksIsFoundOutBehindTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, p := &deletes{fake: newFake()}, newPeople()
		h := d.handler(t, func(cfg *Config) { cfg.Auth, cfg.Records = p, d })
		places := &h.gate.limits[writes]
		for range places.Limit() {
			places.Force()
		}
		done := make(chan int, 1)
		go func() { done <- request(h, "DELETE", createURL+"/x", "", "Authorization: eve").Code }()
		synctest.Wait() // it waits
		now := person("users")
		p.set("eve", now)
		places.Release()
		h.gate.lines[writes].Wake()
		if code := <-done; code != http.StatusNoContent || d.who != now {
			t.Errorf("%d; it goes by who he was: %v", code, d.who != now)
		}
	})
}

// admitted are people who are looked up as the cache does it.
type admitted struct{ *people }

func (a admitted) Identify(ctx context.Context, token string) (*pando.Record, error) {
	if err := overload.Admit(ctx); err != nil {
		return nil, err
	}
	return a.people.Identify(ctx, token)
}

// TestWhoAsksIsFoundOutWhenAPlaceIsNeeded: a read that was let in without a place, and
// needs one, is chosen for who asked before it waited.
func TestWhoAsksIsFoundOutWhenAPlaceIsNeeded(t *testing.T) {
	for name, tt := range map[string]struct {
		now    *pando.Record
		status int
	}{
		"the same":      {person("users"), http.StatusOK}, // read anew
		"nobody":        {nil, http.StatusServiceUnavailable},
		"somebody else": {person("staff"), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := newSlowStore(1, 0), newPeople()
				h := s.handler(t, func(cfg *Config) { cfg.Auth, cfg.Records = admitted{p}, s })
				places := &h.gate.limits[reads]
				for range places.Limit() {
					places.Force()
				}
				done := make(chan *httptest.ResponseRecorder, 1)
				go func() { done <- request(h, "GET", createURL, "", "Authorization: eve") }()
				synctest.Wait() // it waits
				p.set("eve", tt.now)
				places.Release()
				h.gate.lines[reads].Wake()
				if w := <-done; w.Code != tt.status {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				if got, want := h.Overload().Reads.Now, places.Limit()-1; got != want {
					t.Errorf("%d are worked on, want %d", got, want)
				}
			})
		})
	}
}
