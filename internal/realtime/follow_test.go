package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/realtime"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// spied is a store that counts what reads it, and has something happen before the next.
type spied struct {
	store.Store
	reads    atomic.Int64
	unleased atomic.Int64 // of these
	before   atomic.Pointer[func()]
}

func (s *spied) Read(ctx context.Context, fn func(store.Reader) error) error {
	s.reads.Add(1)
	if !position.NeedsLease(ctx) {
		s.unleased.Add(1)
	}
	if f := s.before.Load(); f != nil {
		(*f)()
	}
	return s.Store.Read(ctx, fn)
}

// once has f happen before the next read.
func (s *spied) once(f func()) {
	g := func() {
		s.before.Store(nil)
		f()
	}
	s.before.Store(&g)
}

func staffFixture(t *testing.T) (*fixture, *spied, *held) {
	db, stream := new(spied), new(held)
	f := newFixture(t, func(c *realtime.Config) {
		db.Store, c.Store = c.Store, db
		stream.Stream, c.Stream = c.Stream, stream
	})
	f.Change(t, "posts", func(c *pando.Collection) {
		c.ListRule = new("@request.auth.name = 'staff' || @request.auth.name = 'ada'")
	})
	return f, db, stream
}

func (f *fixture) user(t testing.TB, name string) *pando.Record {
	return f.Insert(t, "users", map[string]any{"email": pando.NewID() + "@b.co", "name": name})
}

func (f *fixture) logOut(t testing.TB, who *pando.Record) *pando.Record {
	return f.Update(t, who, map[string]any{"tokenKey": pando.RandomString(50, "xyz")})
}

// An event shows what is there when it is made. It is made for who one is then, though the
// change that made somebody so is told later.
func TestRevokedBeforeTheEventIsMade(t *testing.T) {
	const goesOn, comesBack = false, true
	for name, tt := range map[string]struct {
		revoke func(f *fixture, eve *pando.Record)
		then   bool // what becomes of her connection
		told   bool
	}{
		"nothing":      {func(f *fixture, eve *pando.Record) {}, goesOn, true},
		"something":    {func(f *fixture, eve *pando.Record) { f.Update(t, eve, map[string]any{"email": "new@b.co"}) }, goesOn, true},
		"another name": {func(f *fixture, eve *pando.Record) { f.Update(t, eve, map[string]any{"name": "none"}) }, goesOn, false},
		"tokens":       {func(f *fixture, eve *pando.Record) { f.logOut(t, eve) }, comesBack, false},
		"the account":  {func(f *fixture, eve *pando.Record) { f.Delete(t, eve) }, comesBack, false},
		"all accounts": {func(f *fixture, eve *pando.Record) {
			f.Write(t, func(tx store.Tx) error { return tx.Truncate(t.Context(), tx.Catalog().Collection("users")) })
		}, comesBack, false},
		"a secret": {func(f *fixture, eve *pando.Record) {
			f.Change(t, "users", func(c *pando.Collection) { c.Auth.AuthToken.Secret = strings.Repeat("s", 40) })
		}, comesBack, false},
		"the rule": {func(f *fixture, eve *pando.Record) {
			f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@request.auth.name = 'ada'") })
		}, goesOn, false},
		"twice": {func(f *fixture, eve *pando.Record) {
			f.Update(t, eve, map[string]any{"email": "new@b.co"})
			f.post(t, "two")
			f.Update(t, eve, map[string]any{"name": "none"})
		}, goesOn, false},
	} {
		judge := func(t *testing.T, eve *listener) {
			t.Helper()
			switch {
			case tt.then == comesBack:
				if n := eve.ended(); n > 0 {
					t.Errorf("%d events came", n)
				}
			case tt.told:
				eve.want("one")
			default:
				eve.want()
			}
			eve.f.post(t, "later")
			if !tt.told {
				eve.want()
			}
		}
		t.Run(name+", and told later", func(t *testing.T) {
			f, _, stream := staffFixture(t)
			who := f.user(t, "staff")
			eve := f.listen(t, who, "posts/*")
			f.Flush(t)
			stream.Lock()
			f.post(t, "one")
			tt.revoke(f, who)
			stream.Unlock()
			judge(t, eve)
		})
		// A server that was frozen hears of it while it waits until it may read.
		t.Run(name+", while it is made", func(t *testing.T) {
			f, db, stream := staffFixture(t)
			who := f.user(t, "staff")
			eve := f.listen(t, who, "posts/*")
			f.Flush(t)
			stream.Lock()
			db.once(func() { tt.revoke(f, who) })
			f.post(t, "one")
			stream.Unlock()
			judge(t, eve)
		})
	}
}

// Superusers too, by their addresses.
func TestAddressesThatAreToldLater(t *testing.T) {
	f, _, stream := staffFixture(t)
	root := f.listen(t, f.Insert(t, pando.SuperusersName, map[string]any{"email": "root@b.co"}), "posts/*")
	f.Flush(t)
	stream.Lock()
	f.post(t, "one")
	f.Write(t, func(tx store.Tx) error {
		s := *tx.Catalog().Settings
		s.SuperuserIPs = []string{"9.9.9.9"}
		return tx.SaveSettings(t.Context(), &s)
	})
	stream.Unlock()
	if n := root.ended(); n > 0 {
		t.Errorf("%d events came", n)
	}
}

// Somebody who changes all the time costs others nothing but time.
func TestWhoChangesAllTheTime(t *testing.T) {
	f, db, stream := staffFixture(t)
	who := f.user(t, "staff")
	eve, ada := f.listen(t, who, "posts/*"), f.listen(t, f.user(t, "ada"), "posts/*")
	f.Flush(t)
	stream.Lock()
	n := 0
	again := func() {
		n++
		f.Update(t, who, map[string]any{"email": fmt.Sprint(n, "@b.co")})
	}
	f.post(t, "one")
	db.before.Store(&again)
	stream.Unlock()
	if n := eve.ended(); n > 0 {
		t.Errorf("%d events came", n)
	}
	db.before.Store(nil)
	ada.want("one")
	if n > 10 {
		t.Errorf("the store was read %d times for one event", n)
	}
}

// What one transaction makes and what it revokes go together. Who is nobody behind it hears
// of it, as far as that hangs on nothing else.
func TestRevokedInOneTransaction(t *testing.T) {
	relations := options("posts/*", map[string]any{"expand": "owner"})
	for name, tt := range map[string]struct {
		topic  string
		revoke func(tx store.Tx, eve *pando.Record) error
		want   []string
		ends   bool
	}{
		"a name": {"posts/*", rename("none"), nil, false},
		"the account": {"posts/*", func(tx store.Tx, eve *pando.Record) error {
			return tx.Delete(t.Context(), eve)
		}, []string{"one"}, false},
		"tokens":                       {"posts/*", rekey, []string{"one"}, false},
		"tokens, and expands":          {relations, rekey, nil, true},
		"tokens and a name":            {"posts/*", func(tx store.Tx, eve *pando.Record) error { return rewrite(tx, eve, "none", "another") }, nil, false},
		"another name, and is allowed": {"posts/*", rename("ada"), []string{"one"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, _ := staffFixture(t)
			who := f.user(t, "staff")
			eve := f.listen(t, who, tt.topic)
			f.Flush(t)
			f.Write(t, func(tx store.Tx) error {
				return errors.Join(tx.Insert(t.Context(), f.titled("one")), tt.revoke(tx, who))
			})
			if tt.ends {
				if n := eve.ended(); n > 0 {
					t.Errorf("%d events came", n)
				}
				return
			}
			eve.want(tt.want...)
			f.post(t, "later")
			if name == "another name, and is allowed" {
				eve.want("later")
			} else {
				eve.want()
			}
		})
	}
}

// titled is a post that is not stored.
func (f *fixture) titled(title string) *pando.Record {
	rec := pando.NewRecord(f.Store.Catalog().Collection("posts"))
	rec.Set("id", pando.NewID())
	rec.Set("title", title)
	return rec
}

func rename(to string) func(store.Tx, *pando.Record) error {
	return func(tx store.Tx, who *pando.Record) error { return rewrite(tx, who, to, who.String("tokenKey")) }
}

func rekey(tx store.Tx, who *pando.Record) error {
	return rewrite(tx, who, who.String("name"), pando.RandomString(50, "xyz"))
}

func rewrite(tx store.Tx, who *pando.Record, name, key string) error {
	now := who.Clone()
	now.Set("name", name)
	now.Set("tokenKey", key)
	return tx.Update(context.Background(), who, now)
}

// Who has logged in again before it is told that their tokens are void, or meanwhile, stays
// who they are.
func TestLoggedInBeforeItIsToldThatTheyWereLoggedOut(t *testing.T) {
	f, db, stream := staffFixture(t)
	who := f.user(t, "staff")
	f.Flush(t)
	stream.Lock()
	f.logOut(t, who)
	who = f.logOut(t, who)
	eve := f.listen(t, who, "posts/*")
	stream.Unlock()
	f.post(t, "one")
	eve.want("one")

	stream.Lock()
	now := who.Clone()
	now.Set("tokenKey", pando.RandomString(50, "xyz"))
	f.Write(t, func(tx store.Tx) error {
		return errors.Join(tx.Insert(t.Context(), f.titled("two")), tx.Update(t.Context(), who, now))
	})
	db.once(func() {
		if err := eve.subscribe(now, "posts/*"); err != nil {
			t.Error(err)
		}
	})
	stream.Unlock()
	eve.want("two")
	f.post(t, "three")
	eve.want("three")
}

// Answers that were prepared for a delete are for who somebody was, by the rules of then.
func TestPreparedForWhoChangesSince(t *testing.T) {
	relations := options("posts/*", map[string]any{"expand": "owner"})
	for name, tt := range map[string]struct {
		topic, rule string
		revoke      func(f *fixture, eve *pando.Record)
	}{
		"a name that what is expanded may hang on": {relations, "", func(f *fixture, eve *pando.Record) {
			f.Update(t, eve, map[string]any{"name": "none"})
		}},
		"the rule": {"posts/*", "@collection.members.user ?= 'u'", func(f *fixture, _ *pando.Record) {
			f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@collection.members.user ?= 'x'") })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, stream := staffFixture(t)
			f.Save(t, servicetest.BaseJSON("members", `{"id":"text2","name":"user","type":"text"}`))
			f.Insert(t, "members", map[string]any{"user": "u"})
			f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = &tt.rule })
			who := f.user(t, "staff")
			rec := f.post(t, "one")
			f.Flush(t)
			eve := f.listen(t, who, tt.topic)
			stream.Lock()
			f.mustRemove(t, rec)
			tt.revoke(f, who)
			stream.Unlock()
			if n := eve.ended(); n > 0 {
				t.Errorf("%d events came", n)
			}
		})
	}
}

// An event is an answer without an Age.
func TestEventsAreMadeWithALease(t *testing.T) {
	f, db, _ := staffFixture(t)
	l := f.listen(t, f.user(t, "staff"), "posts/*")
	f.Flush(t)
	db.reads.Store(0)
	db.unleased.Store(0)
	f.post(t, "one")
	f.Stream.Publish(changes.Batch{Unlisted: true})
	l.want("one")
	if n := db.reads.Load(); n != 2 || db.unleased.Load() != 0 {
		t.Errorf("of %d reads %d would do without", n, db.unleased.Load())
	}
}

// As long as nobody changes an event is one read, whoever it is for.
func TestAnEventIsOneRead(t *testing.T) {
	f, db, _ := staffFixture(t)
	var all []*listener
	for range 20 {
		all = append(all, f.listen(t, f.user(t, "staff"), "posts/*"))
	}
	who := f.user(t, "staff")
	all = append(all, f.listen(t, who, "posts/*"))
	f.Update(t, f.user(t, "none"), map[string]any{"name": "staff"})
	f.Flush(t)
	before := db.reads.Load()
	f.post(t, "one", "id", postBeside(who)) // which the index takes for a change of her
	f.Flush(t)
	if n := db.reads.Load() - before; n != 1 {
		t.Errorf("%d reads", n)
	}
	for _, l := range all {
		l.want("one")
	}
}

// Where nothing tells of others' changes, whoever is told of something is looked up.
func TestIdentitiesThatNothingTellsOf(t *testing.T) {
	f := newFixture(t, func(c *realtime.Config) {
		c.Clock, c.Stream = nil, deafTo{c.Stream, "users"}
	})
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@request.auth.name = 'staff'") })
	who := f.user(t, "staff")
	eve := f.listen(t, who, "posts/*")
	f.post(t, "one")
	eve.want("one")
	f.Update(t, who, map[string]any{"name": "none"})
	f.post(t, "two")
	eve.want()
}

// postBeside is the id of a post whose changes an index cannot tell from those of who.
func postBeside(who *pando.Record) string {
	x := position.NewIndex(0)
	for n := position.N(1); ; n++ {
		id := fmt.Sprintf("%015d", n)
		x.Bump(n, []position.Tag{position.RecordTag("pbc_posts", id)})
		if x.Covers([]position.Tag{position.RecordTag("pbc_users", who.ID())}) == n {
			return id
		}
	}
}

// The positions of another timeline say nothing of when somebody has changed.
func TestIdentitiesOfAnotherTimeline(t *testing.T) {
	b := new(bus)
	before, after := position.NewStreamIndex(position.Epoch{Timeline: 1}, 0, 1<<10), position.NewStreamIndex(position.Epoch{Timeline: 2}, 0, 1<<10)
	clock := position.NewClock(before, 0)
	f := newFixture(t, func(c *realtime.Config) { c.Stream, c.Clock = b, clock })
	f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = new("@request.auth.name = 'staff'") })
	who := f.user(t, "staff")
	eve := f.listen(t, who, "posts/*")
	tell := func(title string) {
		b.f(changes.Batch{Position: 1000, Run: before.Run(), Changes: []changes.Change{{Action: changes.Create, Record: f.titled(title)}}})
	}
	tell("one")
	eve.want("one")
	f.Update(t, who, map[string]any{"name": "none"})
	after.Apply(1, 1, []position.Tag{position.RecordTag("pbc_users", who.ID())}, false)
	clock.Replace(after)
	tell("two")
	eve.want()
}
