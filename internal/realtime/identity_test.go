package realtime_test

import (
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
)

// Who sees an e-mail address is part of what groups are made by.
func TestEmails(t *testing.T) {
	f := newFixture(t)
	ada := f.Insert(t, "users", map[string]any{"email": "ada@b.co"})
	bob := f.Insert(t, "users", map[string]any{"email": "bob@b.co"})
	root := f.Insert(t, pando.SuperusersName, map[string]any{"email": "root@b.co"})
	f.Flush(t)
	ls := []*listener{
		f.listen(t, nil, "users/*"), f.listen(t, bob, "users/*"), f.listen(t, ada, "users/*"), f.listen(t, root, "users/*"),
	}
	f.Update(t, ada, map[string]any{"name": "Ada"})
	for i, want := range []any{nil, nil, "ada@b.co", "ada@b.co"} {
		events := ls[i].events()
		if len(events) != 1 || events[0].Record["email"] != want {
			t.Errorf("listener %d: %v, want the address %v", i, events, want)
		}
	}
}

func TestIdentitiesAreFollowed(t *testing.T) {
	f := newFixture(t)
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@request.auth.name = 'editor'") })
	user := func(name string) *pando.Record {
		return f.Insert(t, "users", map[string]any{"email": pando.NewID() + "@b.co", "name": name})
	}
	t.Run("values", func(t *testing.T) {
		who := user("reader")
		l := f.listen(t, who, "posts/*")
		f.post(t, "one")
		l.want()
		f.Update(t, who, map[string]any{"name": "editor"})
		f.post(t, "two")
		l.want("two")
		f.Update(t, who, map[string]any{"name": "reader"})
		f.post(t, "three")
		l.want()
	})
	t.Run("tokenKey", func(t *testing.T) {
		who := user("editor")
		l := f.listen(t, who, "posts/*")
		f.post(t, "one")
		l.want("one")
		now := f.Update(t, who, map[string]any{"tokenKey": pando.RandomString(50, "xyz")})
		f.post(t, "two")
		l.want()
		if err := l.subscribe(now, "posts/*"); err != nil { // they logged in again
			t.Fatal(err)
		}
		f.post(t, "three")
		l.want("three")
	})
	t.Run("deletion", func(t *testing.T) {
		who := user("editor")
		l := f.listen(t, who, "posts/*")
		f.post(t, "one")
		l.want("one")
		f.Delete(t, who)
		f.post(t, "two")
		l.want()
	})
	t.Run("truncation", func(t *testing.T) {
		f.Save(t, servicetest.AuthJSON("staff", `{"id":"text9","name":"name","type":"text"}`))
		who := f.Insert(t, "staff", map[string]any{"email": "s@b.co", "name": "editor"})
		l := f.listen(t, who, "posts/*")
		f.post(t, "one")
		l.want("one")
		f.Write(t, func(tx store.Tx) error { return tx.Truncate(t.Context(), tx.Catalog().Collection("staff")) })
		f.post(t, "two")
		l.want()
	})
	t.Run("another program", func(t *testing.T) {
		who := user("editor")
		l := f.listen(t, who, "posts/*")
		other, err := sqlite.Open(sqlite.Options{Dir: f.Dir})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := other.Write(t.Context(), func(tx store.Tx) error {
			old, err := tx.Record(t.Context(), tx.Catalog().Collection("users"), who.ID())
			if err != nil {
				return err
			}
			return tx.Delete(t.Context(), old)
		}); err != nil {
			t.Fatal(err)
		}
		f.post(t, "one")
		l.want()
	})
	t.Run("secret", func(t *testing.T) {
		l := f.listen(t, user("editor"), "posts/*")
		f.Change(t, "users", func(c *pando.Collection) { c.Name = "people" }) // this changes nothing
		f.post(t, "one")
		l.want("one")
		f.Change(t, "people", func(c *pando.Collection) { c.Auth.AuthToken.Secret = strings.Repeat("s", 40) })
		f.post(t, "two")
		l.want()
		f.Change(t, "people", func(c *pando.Collection) { c.Name = "users" })
	})
	t.Run("before the subscription was known", func(t *testing.T) {
		who := user("editor")
		f.Update(t, who, map[string]any{"tokenKey": pando.RandomString(50, "xyz")})
		l := f.listen(t, who, "posts/*") // the request was identified a moment earlier
		f.post(t, "one")
		l.want()
	})
}

// Whoever cannot be looked up when tokens may be void has to come back; whoever is nobody
// need not.
func TestIdentitiesThatCannotBeChecked(t *testing.T) {
	f, d := deafFixture(t)
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("") })
	ada := f.Insert(t, "users", map[string]any{"email": "ada@b.co"})
	f.Flush(t)
	user, guest := f.listen(t, ada, "posts/*"), f.listen(t, nil, "posts/*")
	d.is.Store(true)
	f.Stream.Publish(changes.Batch{Unlisted: true})
	f.Flush(t)
	d.is.Store(false)
	f.post(t, "one")
	guest.want("one")
	if n := user.ended(); n > 0 {
		t.Errorf("%d events came to one who may be nobody any more", n)
	}
}

// A subscription whose caller cannot be looked up is refused, and nothing is told to
// whoever that was.
func TestSubscribeOfWhoCannotBeChecked(t *testing.T) {
	f, d := deafFixture(t)
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@request.auth.name = 'editor' || title = 'public'") })
	ada := f.Insert(t, "users", map[string]any{"email": "ada@b.co", "name": "editor"})
	f.Flush(t)
	fresh, known := f.listen(t, nil, "posts/*"), f.listen(t, ada, "posts/*")
	d.is.Store(true)
	for _, l := range []*listener{fresh, known} {
		if err := l.subscribe(ada, "users/*"); pando.KindOf(err) != pando.KindUnavailable {
			t.Errorf("subscribe: %v", err)
		}
	}
	d.is.Store(false)
	f.post(t, "one")
	f.post(t, "public")
	fresh.want("public") // as what it was before
	known.want("one", "public")
	if err := fresh.subscribe(ada, "posts/*"); err != nil {
		t.Fatal(err)
	}
	f.post(t, "two")
	fresh.want("two")
}

// Superusers are refused from addresses that are not listed, on open connections too.
func TestAddressesOfSuperusers(t *testing.T) {
	f := newFixture(t)
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = nil })
	root := f.Insert(t, pando.SuperusersName, map[string]any{"email": "root@b.co"})
	f.Flush(t)
	l := f.listen(t, root, "posts/*")
	allow := func(addresses ...string) {
		f.Write(t, func(tx store.Tx) error {
			s := *tx.Catalog().Settings
			s.SuperuserIPs = addresses
			return tx.SaveSettings(t.Context(), &s)
		})
	}
	allow("1.2.3.0/24")
	f.post(t, "one")
	l.want("one")
	allow("9.9.9.9")
	f.post(t, "two")
	l.want()
}
