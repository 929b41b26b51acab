package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

var factTests = []test{
	{"a write bumps its tags before it is visible, and is published before its answer", func(f *fixture) {
		c, other := f.save(notes()), f.save(base("other", text("title")))
		a, b := note(c, "a", ""), note(c, "b", "")
		f.insert(a, b)
		next := a.Clone()
		next.Set("title", "x")
		s := f.index.Frontier()
		n := f.write(func(tx store.Tx) error { return tx.Update(f.ctx, a, next) })
		if got := f.index.Frontier(); got < n {
			f.Errorf("frontier %d after an answer at %d", got, n)
		}
		for _, tt := range []struct {
			name  string
			tag   position.Tag
			valid bool
		}{
			{"the record", position.RecordTag(c.ID, "a"), false},
			{"its table", position.TableTag(c.ID), false},
			{"anything", position.AllTag, false},
			{"another record", position.RecordTag(c.ID, "b"), true},
			{"another table", position.TableTag(other.ID), true},
		} {
			if got := f.index.Valid(s, []position.Tag{tt.tag}); got != tt.valid {
				f.Errorf("a fact of %s from before is valid: %v", tt.name, got)
			}
			if !f.index.Valid(n, []position.Tag{tt.tag}) {
				f.Errorf("a fact of %s from after is not valid", tt.name)
			}
		}
	}},
	{"Truncate and DeleteCollection invalidate every record", func(f *fixture) {
		for _, tt := range []struct {
			name string
			fn   func(tx store.Tx, c *pando.Collection) error
		}{
			{"Truncate", func(tx store.Tx, c *pando.Collection) error { return tx.Truncate(f.ctx, c) }},
			{"DeleteCollection", func(tx store.Tx, c *pando.Collection) error { return tx.DeleteCollection(f.ctx, c) }},
		} {
			c := f.store.Catalog().Collection("notes")
			if c == nil {
				c = f.save(notes())
			}
			f.insert(note(c, "a", ""))
			s := f.index.Frontier()
			f.write(func(tx store.Tx) error { return tt.fn(tx, c) })
			for _, tag := range []position.Tag{position.RecordTag(c.ID, "a"), position.TableTag(c.ID), position.AllTag} {
				if f.index.Valid(s, []position.Tag{tag}) {
					f.Errorf("%s: a fact from before is valid", tt.name)
				}
			}
		}
	}},
	{"no reader accepts a fact older than what anybody knows", factsHold},
	{"positions go on after reopening", func(f *fixture) {
		c := f.save(notes())
		n := f.insert(note(c, "a", ""))
		f.store = f.backend.Reopen(f.T, f.store)
		c = f.collection("notes")
		f.read(func(r store.Reader) error {
			if r.Stamp() < n {
				f.Errorf("stamp %d after %d", r.Stamp(), n)
			}
			return nil
		})
		if got := f.insert(note(c, "b", "")); got <= n {
			f.Errorf("position %d after %d", got, n)
		}
	}},
}

// factsHold is the property that the cache stands on. Writers raise the number
// in each record; readers keep facts of records and of the whole table and judge
// them by the index alone. Whatever a reader accepts must be at least what any
// writer had been answered, and any reader had seen, when it began.
func factsHold(f *fixture) {
	const records, writers, readers = 8, 6, 6
	c := f.save(notes())
	var known [records]atomic.Int64 // the highest number that anybody was told
	for i := range records {
		f.insert(note(c, fmt.Sprint(i), ""))
	}
	facts := &factCache{index: f.index, m: map[string]fact{}}
	var stopped atomic.Bool
	var wg sync.WaitGroup
	var hits, fills atomic.Int64
	for k := range readers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(k), 1))
			for !stopped.Load() {
				i := rnd.IntN(records)
				least := known[i].Load()
				key, tag := fmt.Sprint(i), position.RecordTag(c.ID, fmt.Sprint(i))
				whole := rnd.IntN(3) == 0
				if whole {
					key, tag = "all", position.TableTag(c.ID)
				}
				values, hit := facts.get(key)
				if !hit {
					var err error
					if values, err = facts.fill(f, c, key, tag); err != nil {
						f.Error(err)
						return
					}
					fills.Add(1)
				} else {
					hits.Add(1)
				}
				got := values[0]
				if whole {
					got = values[i]
				}
				if got < least {
					f.Errorf("record %d: a reader accepted %d after %d was known (hit: %v)", i, got, least, hit)
					return
				}
				raise(&known[i], got)
			}
		})
	}
	parallel(writers, func(w int) {
		for k := range 120 {
			i := (w + k) % records
			var value int64
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
				old, err := tx.Record(f.ctx, c, fmt.Sprint(i))
				if err != nil {
					return err
				}
				next := old.Clone()
				value = int64(old.Get("n").(float64)) + 1
				next.Set("n", float64(value))
				if err := tx.Update(f.ctx, old, next); err != nil {
					return err
				}
				if k%10 == 9 {
					return errRolledBack
				}
				return nil
			})
			switch {
			case errors.Is(err, errRolledBack):
			case err != nil:
				f.Error(err)
			default:
				raise(&known[i], value)
			}
		}
	})
	stopped.Store(true)
	wg.Wait()
	f.Logf("%d hits, %d fills", hits.Load(), fills.Load())
	if fills.Load() == 0 {
		f.Error("nothing was read")
	}
}

// raise makes v at least n.
func raise(v *atomic.Int64, n int64) {
	for old := v.Load(); old < n && !v.CompareAndSwap(old, n); old = v.Load() {
	}
}

var errRolledBack = errors.New("rolled back")

// fact is what a reader keeps: values, and what is needed to judge them.
type fact struct {
	values []int64
	stamp  position.N
	tags   []position.Tag
}

type factCache struct {
	index *position.Index
	mu    sync.Mutex
	m     map[string]fact
}

func (k *factCache) get(key string) ([]int64, bool) {
	k.mu.Lock()
	x, ok := k.m[key]
	k.mu.Unlock()
	if !ok || !k.index.Valid(x.stamp, x.tags) {
		return nil, false
	}
	return x.values, true
}

func (k *factCache) fill(f *fixture, c *pando.Collection, key string, tag position.Tag) ([]int64, error) {
	x := fact{tags: []position.Tag{tag}}
	err := f.store.Read(f.ctx, func(r store.Reader) error {
		x.stamp = r.Stamp()
		if key != "all" {
			rec, err := r.Record(f.ctx, c, key)
			if err == nil {
				x.values = []int64{int64(rec.Get("n").(float64))}
			}
			return err
		}
		page, err := r.Find(f.ctx, store.Query{Collection: c})
		x.values = make([]int64, len(page.Records))
		for _, rec := range page.Records {
			i, err := strconv.Atoi(rec.ID())
			if err != nil {
				return err
			}
			x.values[i] = int64(rec.Get("n").(float64))
		}
		return err
	})
	// An older fact may overwrite a newer one: nothing may hang on the order.
	k.mu.Lock()
	k.m[key] = x
	k.mu.Unlock()
	return x.values, err
}
