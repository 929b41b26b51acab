package records_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// world is a service on real ground, with some people.
type world struct {
	*records.Records
	env       *servicetest.Env
	as        map[string]*pando.Record // guest is nil
	clock     time.Time
	slept     []time.Duration
	passwords *auth.Passwords
}

func newWorld(t testing.TB, edit ...func(*records.Config)) *world {
	t.Helper()
	w := &world{env: servicetest.New(t), clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	passwords := auth.NewPasswords(auth.PasswordsConfig{})
	t.Cleanup(func() { passwords.Close() })
	w.passwords = passwords
	c := records.Config{
		Store: w.env.Store, Facts: w.env.Facts, Blobs: w.env.Blobs, Passwords: passwords,
		Now: func() time.Time { return w.clock },
		Sleep: func(_ context.Context, d time.Duration) error {
			w.slept = append(w.slept, d)
			return nil
		},
	}
	for _, e := range edit {
		e(&c)
	}
	w.Records = records.New(c)
	w.as = map[string]*pando.Record{"": nil}
	w.person(t, "root", pando.SuperusersName)
	w.person(t, "ann", "users")
	w.person(t, "bob", "users")
	return w
}

// person adds an auth record that requests can be made as.
func (w *world) person(t testing.TB, name, collection string) {
	t.Helper()
	w.as[name] = w.env.Insert(t, collection, map[string]any{
		"id": id(name), "email": name + "@example.com", "tokenKey": id(name) + id(name) + id(name),
	})
}

// id is a record id made of a name.
func id(name string) string { return (name + strings.Repeat("0", 15))[:15] }

// call is one request to the service.
type call struct {
	as         string
	do         string // list, view, create, update, delete
	collection string
	id         string
	body       string // JSON
	files      map[string][]pando.Upload
	query      map[string]string // sort, filter, expand, fields, and what rules ask for
	page       int
	perPage    int
	skipTotal  bool
}

func (c call) request(w *world) *pando.Request {
	method := map[string]string{"create": "POST", "update": "PATCH", "delete": "DELETE"}[c.do]
	if method == "" {
		method = "GET"
	}
	lookup := func(name string) (string, bool) { v, ok := c.query[name]; return v, ok }
	return &pando.Request{
		Context: "default", Method: method, Auth: w.as[c.as], RealIP: "192.0.2.1", Query: lookup, Header: lookup,
	}
}

func (c call) input(t testing.TB) pando.Input {
	t.Helper()
	in := pando.Input{Body: map[string]any{}, Files: c.files}
	if c.body != "" {
		if err := json.Unmarshal([]byte(c.body), &in.Body); err != nil {
			t.Fatalf("%s: %v", c.body, err)
		}
	}
	return in
}

// run makes the call and writes its answer as "200 {…}".
func (w *world) run(t testing.TB, c call) string {
	t.Helper()
	ctx, req := t.Context(), c.request(w)
	p := pando.Projection{Expand: c.query["expand"], Fields: c.query["fields"]}
	var a pando.Answer
	var err error
	switch c.do {
	case "list":
		a, err = w.List(ctx, req, c.collection, pando.ListQuery{
			Page: c.page, PerPage: c.perPage, SkipTotal: c.skipTotal,
			Sort: c.query["sort"], Filter: c.query["filter"], Projection: p,
		})
	case "view":
		a, err = w.View(ctx, req, c.collection, c.id, p)
	case "create":
		a, err = w.Create(ctx, req, c.collection, c.input(t), p)
	case "update":
		a, err = w.Update(ctx, req, c.collection, c.id, c.input(t), p)
	case "delete":
		if err = w.Delete(ctx, req, c.collection, c.id); err == nil {
			return "204"
		}
	default:
		t.Fatalf("no such action: %q", c.do)
	}
	if err != nil {
		return failure(err)
	}
	return "200 " + string(a)
}

var statuses = map[pando.Kind]string{
	pando.KindInternal: "500", pando.KindInvalid: "400", pando.KindForbidden: "403", pando.KindNotFound: "404",
	pando.KindUnavailable: "503",
}

// failure writes an error as "400 Message." or "400 Message. {data}".
func failure(err error) string {
	e, ok := errors.AsType[*pando.Error](err)
	if !ok {
		return "500 " + err.Error()
	}
	text := statuses[e.Kind] + " " + e.Message
	if len(e.Data) > 0 {
		data, _ := json.Marshal(codes(e.Data))
		text += " " + string(data)
	}
	return text
}

// codes keeps of each failed field what programs match on.
func codes(data pando.FieldErrors) map[string]any {
	out := map[string]any{}
	for k, v := range data {
		switch v := v.(type) {
		case *pando.FieldError:
			out[k] = v.Code
		case pando.FieldErrors:
			out[k] = codes(v)
		case *pando.Error:
			out[k] = failure(v)
		default:
			out[k] = v
		}
	}
	return out
}

// ok runs a call that must succeed and decodes its answer.
func (w *world) ok(t testing.TB, c call) map[string]any {
	t.Helper()
	got := w.run(t, c)
	body, found := strings.CutPrefix(got, "200 ")
	if !found {
		t.Fatalf("%+v: %s", c, got)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return m
}

// expect runs each call in turn and compares; a want of /…/ is a pattern.
func (w *world) expect(t *testing.T, steps []step) {
	t.Helper()
	for i, s := range steps {
		got := w.run(t, s.call)
		if pattern, ok := strings.CutPrefix(s.want, "/"); ok {
			if !regexp.MustCompile("^" + strings.TrimSuffix(pattern, "/") + "$").MatchString(got) {
				t.Errorf("step %d, %+v:\n got %s\nwant %s", i, s.call, got, s.want)
			}
		} else if got != s.want {
			t.Errorf("step %d, %+v:\n got %s\nwant %s", i, s.call, got, s.want)
		}
	}
}

type step struct {
	call
	want string
}

// with is q and more query parameters, in pairs.
func with(pairs ...string) map[string]string {
	q := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		q[pairs[i]] = pairs[i+1]
	}
	return q
}

// collection saves a collection that everybody may do anything with; edits are
// rules by key.
func (w *world) collection(t testing.TB, name string, rules map[string]any, fields ...string) *pando.Collection {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(servicetest.BaseJSON(name, fields...)), &m); err != nil {
		t.Fatal(err)
	}
	maps.Copy(m, rules)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return w.env.Save(t, string(text))
}

// file is an upload with this content.
func file(name, content string) pando.Upload {
	return pando.Upload{Name: name, Size: int64(len(content)), Open: func() (io.ReadSeekCloser, error) {
		return nopCloser{bytes.NewReader([]byte(content))}, nil
	}}
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

type reader = store.Reader

func (w *world) read(t testing.TB, f func(reader) error) error {
	t.Helper()
	return w.env.Store.Read(t.Context(), f)
}
