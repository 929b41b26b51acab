package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pandobase/pando"
)

// fake stands for the services where a test is about bodies, headers and
// errors only. It keeps what it was called with.
type fake struct {
	pando.Records // panics where a test calls what it should not

	settings *pando.Settings
	defs     []*pando.Collection
	answer   pando.Answer
	err      error

	req   *pando.Request
	in    pando.Input
	list  pando.ListQuery
	ops   []pando.BatchOp
	raw   []byte
	files map[string]string
}

func newFake() *fake {
	return &fake{
		settings: pando.DefaultSettings(),
		answer:   pando.Answer(`{"id":"x"}`),
		defs: []*pando.Collection{{ID: "pbc_1", Name: "open", Type: pando.TypeBase, Fields: []*pando.Field{
			{Name: "f", Type: pando.FieldFile, Options: &pando.FileOptions{MaxSize: 1 << 20, MaxSelect: 2}},
		}}},
	}
}

type fakeSettings struct {
	pando.SettingsService
	f *fake
}

func (s fakeSettings) Current() *pando.Settings { return s.f.settings }

type fakeAuth struct{ pando.Auth }

func (fakeAuth) Identify(_ context.Context, token string) (*pando.Record, error) {
	if token == "super" {
		return pando.NewRecord(&pando.Collection{Name: pando.SuperusersName, Type: pando.TypeAuth}), nil
	}
	if token == "user" {
		return pando.NewRecord(&pando.Collection{Name: "users", Type: pando.TypeAuth}), nil
	}
	return nil, nil
}

func (f *fake) View(_ context.Context, req *pando.Request, _, _ string, _ pando.Projection) (pando.Answer, error) {
	f.req = req
	return f.answer, f.err
}

func (f *fake) List(_ context.Context, req *pando.Request, _ string, q pando.ListQuery) (pando.Answer, error) {
	f.req, f.list = req, q
	return f.answer, f.err
}

func (f *fake) Create(_ context.Context, req *pando.Request, _ string, in pando.Input, _ pando.Projection) (pando.Answer, error) {
	f.req, f.in = req, in
	f.files = map[string]string{}
	for key, uploads := range in.Files {
		for _, u := range uploads {
			r, err := u.Open()
			if err != nil {
				return nil, err
			}
			b := make([]byte, u.Size)
			if _, err := r.Read(b); err != nil && u.Size > 0 {
				return nil, err
			}
			r.Close()
			if len(b) > 40 {
				b = b[:40]
			}
			f.files[key] += u.Name + "=" + string(b) + ";"
		}
	}
	return f.answer, f.err
}

func (f *fake) Delete(context.Context, *pando.Request, string, string) error { return f.err }

func (f *fake) Batch(_ context.Context, req *pando.Request, ops []pando.BatchOp) ([]pando.BatchResult, error) {
	f.req, f.ops = req, ops
	return []pando.BatchResult{{Status: 200, Body: json.RawMessage(`{}`)}}, f.err
}

// definitions is the fake's part for collections; it has methods of the same
// names as records.
type definitions struct {
	pando.Collections
	f *fake
}

func (d definitions) Create(_ context.Context, body []byte, _ string) (pando.Answer, error) {
	d.f.raw = body
	return d.f.answer, d.f.err
}

func (d definitions) List(context.Context, pando.ListQuery) (pando.Answer, error) {
	return d.f.answer, d.f.err
}

// handler serves f.
func (f *fake) handler(t testing.TB, change ...func(*Config)) *Handler {
	t.Helper()
	cfg := Config{Records: f, Collections: definitions{f: f}, Auth: fakeAuth{}, Settings: fakeSettings{f: f}, Version: "test",
		Collection: func(ref string) *pando.Collection {
			for _, c := range f.defs {
				if c.Is(ref) {
					return c
				}
			}
			return nil
		}}
	for _, c := range change {
		c(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// request sends one request; headers are "Name: value".
func request(h http.Handler, method, url, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// requestChunked sends a body whose length is not announced.
func requestChunked(h http.Handler, body, header string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", createURL, strings.NewReader(body))
	r.ContentLength = -1
	name, value, _ := strings.Cut(header, ": ")
	r.Header.Set(name, value)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
