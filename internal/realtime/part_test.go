package realtime_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/realtime"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// deaf is a store that cannot be read at times, as one without a lease.
type deaf struct {
	store.Store
	is atomic.Bool
}

func (d *deaf) Read(ctx context.Context, fn func(store.Reader) error) error {
	if d.is.Load() {
		return &pando.Error{Kind: pando.KindUnavailable, Message: "Not now."}
	}
	return d.Store.Read(ctx, fn)
}

// deafFixture is a fixture on such a store.
func deafFixture(t *testing.T) (*fixture, *deaf) {
	d := new(deaf)
	f := newFixture(t, func(c *realtime.Config) { d.Store, c.Store = c.Store, d })
	return f, d
}

// ended waits until the connection is over, and tells how many events came before.
func (l *listener) ended() (events int) {
	l.t.Helper()
	bound := time.After(20 * time.Second)
	for {
		select {
		case _, open := <-l.Events():
			if !open {
				return events
			}
			events++
		case <-bound:
			l.t.Fatal("the connection does not end")
		}
	}
}

// Whoever may have missed something is to connect anew, and is told nothing more: what is
// read then is newer.
func TestAGapEndsConnections(t *testing.T) {
	f := newFixture(t)
	ada := f.Insert(t, "users", map[string]any{"email": "ada@b.co"})
	guest, user, idle := f.listen(t, nil, "posts/*"), f.listen(t, ada), f.connect(t)
	f.Stream.Publish(changes.Batch{Gap: true, Unlisted: true, Catalog: true})
	f.post(t, "behind the gap")
	if n := guest.ended() + user.ended(); n > 0 {
		t.Errorf("%d events came behind the gap", n)
	}
	f.Flush(t)
	if err := idle.subscribe(nil, "posts/*"); err != nil {
		t.Errorf("who was subscribed to nothing has missed nothing: %v", err)
	}
	f.post(t, "two")
	idle.want("two")
}

// What is not told one by one concerns those who follow that collection.
func TestMissedChangesEndConnections(t *testing.T) {
	f := newFixture(t)
	var over, others []*listener
	for _, topic := range []string{"posts", "posts/*", "posts/abc", "pbc_posts/*", "posts/*?options=x"} {
		over = append(over, f.listen(t, nil, "users/*", topic))
	}
	for _, topic := range []string{"users/*", "post/*", "users/posts", "custom", ""} {
		others = append(others, f.listen(t, nil, topic))
	}
	f.Stream.Publish(changes.Batch{Missed: []string{"pbc_posts", "pbc_gone"}, Unlisted: true})
	for _, l := range over {
		l.ended()
	}
	f.Insert(t, "users", map[string]any{"email": "ada@b.co"})
	if n := len(others[0].got()); n != 1 {
		t.Errorf("%d events came to one whom it does not concern", n)
	}
	if got := f.rt.Stats(); got.Clients != len(others) {
		t.Errorf("stats %+v", got)
	}
}

// An event that cannot be made is not passed over in silence.
func TestAChangeThatCannotBeAnnounced(t *testing.T) {
	f, d := deafFixture(t)
	l, other := f.listen(t, nil, "posts/*"), f.listen(t, nil, "users/*")
	d.is.Store(true)
	f.post(t, "one")
	l.ended()
	d.is.Store(false)
	f.Insert(t, "users", map[string]any{"email": "ada@b.co"})
	if n := len(other.got()); n != 1 {
		t.Errorf("%d events came to one whom it does not concern", n)
	}
}

// Nor is it if only some of the answers to a change fail: those go whom these were for.
func TestAnEventThatCannotBeMade(t *testing.T) {
	f := newFixture(t, func(c *realtime.Config) {
		encode := c.Encode
		c.Encode = func(ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record, expand string) ([]byte, error) {
			if expand == "broken" {
				return nil, errors.New("no")
			}
			return encode(ctx, r, req, rec, expand)
		}
	})
	for name, change := range map[string]func(rec *pando.Record){
		"create": func(*pando.Record) { f.post(t, "one") },
		"update": func(rec *pando.Record) { f.Update(t, rec, map[string]any{"title": "two"}) },
		"delete": func(rec *pando.Record) { f.mustRemove(t, rec) },
		"delete elsewhere": func(rec *pando.Record) {
			f.Stream.Publish(changes.Batch{Elsewhere: true, Changes: []changes.Change{{Action: changes.Delete, Record: rec}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := f.post(t, "before")
			f.Flush(t)
			broken, other := f.listen(t, nil, options("posts/*", map[string]any{"expand": "broken"})), f.listen(t, nil, "posts/*")
			change(rec)
			if n := broken.ended(); n > 0 {
				t.Errorf("%d events came", n)
			}
			if n := len(other.got()); n != 1 {
				t.Errorf("%d events came to one whom it does not concern", n)
			}
		})
	}
}

// again is a store that runs what reads once more, as one whose replica was too old.
type again struct{ store.Store }

func (s again) Read(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.Read(ctx, func(r store.Reader) error {
		_ = fn(r)
		return fn(r)
	})
}

// An event that can be made when the store is read again has been made.
func TestAnEventThatIsMadeLater(t *testing.T) {
	var asked atomic.Int64
	f := newFixture(t, func(c *realtime.Config) {
		encode := c.Encode
		c.Store = again{c.Store}
		c.Encode = func(ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record, expand string) ([]byte, error) {
			if asked.Add(1) == 1 {
				return nil, errors.New("no")
			}
			return encode(ctx, r, req, rec, expand)
		}
	})
	l := f.listen(t, nil, "posts/*")
	f.post(t, "one")
	l.want("one")
	f.post(t, "two")
	l.want("two")
}

// What a delete means to somebody is found out before it. Who was not there by then, or
// is somebody else since, has to look again; nobody else has.
func TestDeletesOfWhoWasNotThere(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("members", `{"id":"text2","name":"user","type":"text"}`))
	f.Insert(t, "members", map[string]any{"user": "in"})
	f.Change(t, "posts", func(c *pando.Collection) {
		c.ListRule = new("@collection.members.user ?= @request.auth.name || title = 'open'")
	})
	user := func(name string) *pando.Record {
		return f.Insert(t, "users", map[string]any{"email": pando.NewID() + "@b.co", "name": name})
	}
	ada, bob, out, turning := user("in"), user("in"), user("out"), user("in")
	expand := options("posts/*", map[string]any{"expand": "owner"})
	one, two := f.post(t, "one"), f.post(t, "two")
	f.Flush(t)

	first := f.connect(t)
	f.mustRemove(t, one, func(store.Tx) error { return first.subscribe(ada, "posts/*") })
	if n := first.ended(); n > 0 {
		t.Errorf("the first: %d events", n)
	}

	told, refused, turned := f.listen(t, ada, "posts/*"), f.listen(t, out, "posts/*"), f.listen(t, turning, "posts/*")
	alike, unlike := f.connect(t), f.connect(t)
	f.mustRemove(t, two, func(tx store.Tx) error {
		now := turning.Clone()
		now.Set("name", "another")
		return errors.Join(alike.subscribe(bob, "posts/*"), unlike.subscribe(bob, expand), tx.Update(t.Context(), turning, now))
	})
	if n := unlike.ended() + turned.ended(); n > 0 {
		t.Errorf("%d events came to who was not there like this", n)
	}
	f.post(t, "open")
	told.want("delete two", "open")
	alike.want("delete two", "open")
	refused.want("open")
}

// Many connections do not end at one moment, but nothing comes on any of them.
func TestManyConnectionsEndOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 2000
		b := new(bus)
		rt := realtime.New(realtime.Config{Stream: b})
		defer rt.Close()
		var ends []time.Duration
		var mu sync.Mutex
		var all sync.WaitGroup
		began := time.Now()
		for range many {
			c, err := rt.Connect(t.Context(), &pando.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if err := rt.Subscribe(t.Context(), &pando.Request{}, c.ID(), []string{"posts/*"}); err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				<-c.Events()
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, time.Since(began))
			})
		}
		b.f(changes.Batch{Gap: true})
		if got := rt.Stats(); got.Subscriptions > 0 {
			t.Errorf("stats at once: %+v", got)
		}
		all.Wait()
		slices.Sort(ends)
		if most := ends[many-1]; most < time.Second || most > 2*time.Second {
			t.Errorf("the last one ended after %v", most)
		}
		for at := range many - 200 {
			if ends[at+200]-ends[at] < 50*time.Millisecond {
				t.Fatalf("200 ended between %v and %v", ends[at], ends[at+200])
			}
		}
	})
}

// bus is a stream in a test's hands.
type bus struct{ f func(changes.Batch) }

func (b *bus) Subscribe(f func(changes.Batch)) (stop func()) {
	b.f = f
	return func() {}
}

// Another server's delete is judged here by what it leaves, and never by what was
// prepared for one that failed here.
func TestDeletesElsewhere(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("members", `{"id":"text2","name":"user","type":"text"}`))
	f.Insert(t, "members", map[string]any{"user": "u"})
	const (
		open   = ""
		joined = "@collection.members.user ?= 'u'"
	)
	for name, tt := range map[string]struct {
		rule   string
		query  map[string]any
		before bool // a delete here failed before
		want   int
	}{
		"the record itself":                 {open, nil, false, 1},
		"with relations":                    {open, map[string]any{"expand": "owner"}, false, 1},
		"other records decide":              {joined, nil, false, 0},
		"other records decide in a filter":  {open, map[string]any{"filter": "@collection.members.user ?= 'u'"}, false, 0},
		"other records decided before":      {joined, nil, true, 0},
		"with relations, and failed before": {open, map[string]any{"expand": "owner"}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f.Change(t, "posts", func(c *pando.Collection) { c.ListRule = &tt.rule })
			rec := f.post(t, "one")
			f.Flush(t)
			guest := f.listen(t, nil, options("posts/*", tt.query))
			if tt.before {
				no := errors.New("no")
				if err := f.remove(t, rec, func(store.Tx) error { return no }); !errors.Is(err, no) {
					t.Fatal(err)
				}
			}
			f.Stream.Publish(changes.Batch{Elsewhere: true, Changes: []changes.Change{{Action: changes.Delete, Record: rec}}})
			if n := len(guest.got()); n != tt.want {
				t.Errorf("a guest got %d events, want %d", n, tt.want)
			}
			guest.Close()
		})
	}
}
