package auth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// before has the Auth of f find change done before its n-th read.
func (f *fixture) before(n int, change func()) {
	f.auth = auth.New(auth.Config{
		Store: &servicetest.Busy{Store: f.Store, N: n, Change: change}, Facts: f.Facts, Passwords: f.passwords, Encode: servicetest.Encode, Hooks: f.hooks,
	})
}

// wantError is of a kind, with a message.
func wantError(t *testing.T, err error, kind pando.Kind, message string) {
	t.Helper()
	if e, ok := errors.AsType[*pando.Error](err); !ok || e.Kind != kind || e.Message != message {
		t.Errorf("%v, want %q", err, message)
	}
}

const (
	refused = "The request doesn't satisfy the collection requirements to authenticate."
	wrong   = "Failed to authenticate."
)

// meanwhile is something that changes, and what stands in the way then; without a message
// nothing does.
type meanwhile struct {
	name    string
	change  func(*testing.T, *fixture)
	kind    pando.Kind
	message string
}

// TestWhatChangesDuringALogin: to check a password takes long. Who is let in is judged by
// what holds behind that.
func TestWhatChangesDuringALogin(t *testing.T) {
	for _, c := range []meanwhile{
		{"nobody is let in", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = nil })
		}, pando.KindForbidden, refused},
		{"somebody else is", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = new("name = 'eve'") })
		}, pando.KindForbidden, refused},
		{"and so is she", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = new("email ~ 'ada'") })
		}, 0, ""},
		{"the rule is not for what she was", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = new("name = ''") })
			f.Update(t, f.ada, map[string]any{"name": "Ada"})
		}, pando.KindForbidden, refused},
		{"there are no passwords", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.PasswordAuth.Enabled = false })
		}, pando.KindForbidden, "The collection is not configured to allow password authentication."},
		{"the password is another", func(t *testing.T, f *fixture) {
			hash, err := f.passwords.Hash(t.Context(), "another-password", 4)
			if err != nil {
				t.Fatal(err)
			}
			f.Update(t, f.ada, map[string]any{"password": hash})
		}, pando.KindInvalid, wrong},
		{"she has none", func(t *testing.T, f *fixture) { f.Update(t, f.ada, map[string]any{"password": ""}) }, pando.KindInvalid, wrong},
		{"she is gone", func(t *testing.T, f *fixture) { f.Delete(t, f.ada) }, pando.KindInvalid, wrong},
		{"a field is", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Fields = c.Fields[:len(c.Fields)-1] })
		}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.before(2, func() { c.change(t, f) })
			a, err := f.login(t, &pando.Request{}, "users", pando.PasswordLogin{Identity: "ada@example.com", Password: "ada-password"})
			if c.message != "" {
				wantError(t, err, c.kind, c.message)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			f.wantID(t, a.Token, f.ada.ID())
		})
	}
}

// TestNoPasswordFits who has none, an empty one either.
func TestNoPasswordFits(t *testing.T) {
	f := newFixture(t)
	f.Update(t, f.ada, map[string]any{"password": ""})
	for _, password := range []string{"", "x", "ada-password"} {
		if _, err := f.login(t, &pando.Request{}, "users", pando.PasswordLogin{Identity: "ada@example.com", Password: password}); err == nil {
			t.Errorf("%q lets her in", password)
		}
	}
}

// TestWhatChangesDuringARefresh: nobody is given a token by rules of before.
func TestWhatChangesDuringARefresh(t *testing.T) {
	const guest = "The request requires valid record authorization token."
	for _, c := range []meanwhile{
		{"nobody is let in", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = nil })
		}, pando.KindForbidden, refused},
		{"the rule is not for what she was", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = new("name = ''") })
			f.Update(t, f.ada, map[string]any{"name": "Ada"})
		}, pando.KindForbidden, refused},
		{"tokens are void", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthToken.Secret = pando.RandomString(50, "abcdefgh") })
		}, pando.KindUnauthenticated, guest},
		{"she is gone", func(t *testing.T, f *fixture) {
			f.Delete(t, f.ada)
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = new("id != ''") })
		}, pando.KindUnauthenticated, guest},
		{"a field is", func(t *testing.T, f *fixture) {
			f.Change(t, "users", func(c *pando.Collection) { c.Fields = c.Fields[:len(c.Fields)-1] })
		}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			token := f.mustLogin(t, "users", "ada").Token
			f.before(1, func() { c.change(t, f) })
			_, err := f.auth.Refresh(t.Context(), &pando.Request{Auth: f.ada}, "users", token, pando.Projection{})
			if c.message != "" {
				wantError(t, err, c.kind, c.message)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWhatChangesAllTheTime: a request does not begin anew for ever.
func TestWhatChangesAllTheTime(t *testing.T) {
	f := newFixture(t)
	token := f.mustLogin(t, "users", "ada").Token
	again := &servicetest.Busy{Store: f.Store}
	again.Change = func() {
		again.N = 1
		f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = new("") })
	}
	again.N = 1
	a := auth.New(auth.Config{Store: again, Facts: f.Facts, Passwords: f.passwords, Encode: servicetest.Encode})
	_, err := a.Refresh(t.Context(), &pando.Request{Auth: f.ada}, "users", token, pando.Projection{})
	if pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("%v, want a KindUnavailable error", err)
	}
}

// TestALoginThatCannotBeJudged is not refused by the rule.
func TestALoginThatCannotBeJudged(t *testing.T) {
	f := newFixture(t)
	f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthRule = new("@collection.users.id ?= id") })
	f.auth = auth.New(auth.Config{
		Store: lostStore{f.Store}, Facts: f.Facts, Passwords: f.passwords, Encode: servicetest.Encode,
	})
	now := f.Store.Catalog().Collection("users")
	var ada *pando.Record
	if err := f.Store.Read(t.Context(), func(r store.Reader) (err error) {
		ada, err = r.Record(t.Context(), now, f.ada.ID())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := f.auth.Refresh(t.Context(), &pando.Request{Auth: ada}, "users", "", pando.Projection{})
	if pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("%v, want a KindUnavailable error", err)
	}
}

// lostStore finds nothing.
type lostStore struct{ store.Store }

func (s lostStore) Read(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.Read(ctx, func(r store.Reader) error { return fn(lostReader{r}) })
}

type lostReader struct{ store.Reader }

func (lostReader) Find(context.Context, store.Query) (store.Page, error) {
	return store.Page{}, &pando.Error{Kind: pando.KindUnavailable}
}
