package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

var readTests = []test{
	{"the error of fn comes back as it is", func(f *fixture) {
		mine := errors.New("mine")
		if err := f.store.Read(f.ctx, func(store.Reader) error { return mine }); err != mine {
			f.Errorf("error is %v", err)
		}
	}},
	{"a snapshot does not change", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "old"))
		f.read(func(r store.Reader) error {
			before, err := r.Find(f.ctx, store.Query{Collection: c, Total: true})
			if err != nil {
				return err
			}
			wait(func() {
				f.change(c, func(c *pando.Collection) { c.ListRule = nil })
				c := f.collection("notes")
				f.write(func(tx store.Tx) error {
					old, err := tx.Record(f.ctx, c, "a")
					if err != nil {
						return err
					}
					next := old.Clone()
					next.Set("title", "new")
					return errors.Join(tx.Update(f.ctx, old, next), tx.Insert(f.ctx, note(c, "b", "")), tx.SetParam(f.ctx, "p", []byte("1")))
				})
			})
			after, err := r.Find(f.ctx, store.Query{Collection: c, Total: true})
			if err != nil {
				return err
			}
			if fmt.Sprint(ids(after.Records), after.Total) != fmt.Sprint(ids(before.Records), before.Total) || after.Records[0].String("title") != "old" {
				f.Errorf("it saw %v, then %v", ids(before.Records), ids(after.Records))
			}
			if r.Catalog().Collection("notes").ListRule == nil {
				f.Error("it shows a later catalog")
			}
			if v, err := r.Param(f.ctx, "p"); v != nil {
				f.Errorf("it shows a later param: %q, %v", v, err)
			}
			return nil
		})
	}},
	{"snapshots are of whole transactions", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "0"), note(c, "b", "0"))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					err := f.store.Read(f.ctx, func(r store.Reader) error {
						a, err1 := r.Record(f.ctx, c, "a")
						b, err2 := r.Record(f.ctx, c, "b")
						if err := errors.Join(err1, err2); err != nil {
							return err
						}
						if a.String("title") != b.String("title") {
							f.Errorf("half a transaction: %s and %s", a.String("title"), b.String("title"))
						}
						return nil
					})
					if err != nil {
						f.Error(err)
					}
				}
			})
		}
		for i := range 50 {
			f.write(func(tx store.Tx) error {
				for _, id := range []string{"a", "b"} {
					old, err := tx.Record(f.ctx, c, id)
					if err != nil {
						return err
					}
					next := old.Clone()
					next.Set("title", fmt.Sprint(i))
					if err := tx.Update(f.ctx, old, next); err != nil {
						return err
					}
				}
				return nil
			})
		}
		close(stop)
		wg.Wait()
	}},
	{"a stamp promises every commit up to it", func(f *fixture) {
		c := f.save(notes())
		var mu sync.Mutex
		made := map[position.N]string{} // ids by the position that was answered
		var stopped atomic.Bool
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for !stopped.Load() {
					var stamp position.N
					there := map[string]bool{}
					err := f.store.Read(f.ctx, func(r store.Reader) error {
						stamp = r.Stamp()
						page, err := r.Find(f.ctx, store.Query{Collection: c, IDsOnly: true})
						for _, id := range ids(page.Records) {
							there[id] = true
						}
						return err
					})
					if err != nil {
						f.Error(err)
						return
					}
					mu.Lock()
					for n, id := range made {
						if n <= stamp && !there[id] {
							f.Errorf("a snapshot of stamp %d lacks the commit at %d", stamp, n)
						}
					}
					mu.Unlock()
				}
			})
		}
		parallel(8, func(i int) {
			for k := range 15 {
				id := fmt.Sprintf("%d-%d", i, k)
				n, err := f.store.Write(f.ctx, func(tx store.Tx) error { return tx.Insert(f.ctx, note(c, id, "")) })
				if err != nil {
					f.Error(err)
					return
				}
				mu.Lock()
				made[n] = id
				mu.Unlock()
			}
		})
		stopped.Store(true)
		wg.Wait()
	}},
	{"totals are exact for the snapshot", func(f *fixture) {
		c := f.save(notes())
		var stopped atomic.Bool
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for !stopped.Load() {
					page, err := store.Page{}, error(nil)
					if rerr := f.store.Read(f.ctx, func(r store.Reader) error {
						page, err = r.Find(f.ctx, store.Query{Collection: c, Total: true, IDsOnly: true})
						return err
					}); rerr != nil {
						f.Error(rerr)
						return
					}
					if page.Total != len(page.Records) {
						f.Errorf("total %d of %d records", page.Total, len(page.Records))
					}
				}
			})
		}
		parallel(6, func(i int) {
			for k := range 30 {
				rec := note(c, fmt.Sprintf("%d-%d", i, k), "")
				_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
					if err := tx.Insert(f.ctx, rec); err != nil {
						return err
					}
					switch k % 5 {
					case 1:
						return errors.New("rolled back")
					case 2:
						return tx.Delete(f.ctx, rec)
					case 3:
						return tx.Insert(f.ctx, note(c, rec.ID()+"+", ""))
					}
					return nil
				})
				if err != nil && k%5 != 1 {
					f.Error(err)
				}
				if i == 0 && k == 20 {
					f.write(func(tx store.Tx) error { return tx.Truncate(f.ctx, c) })
				}
			}
		})
		stopped.Store(true)
		wg.Wait()
	}},
	{"a context that is done", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", ""))
		ctx, cancel := context.WithCancel(f.ctx)
		err := f.store.Read(ctx, func(r store.Reader) error {
			if _, err := r.Record(ctx, c, "a"); err != nil {
				return err
			}
			cancel()
			_, err := r.Find(ctx, store.Query{Collection: c})
			return err
		})
		if !errors.Is(err, context.Canceled) {
			f.Errorf("error is %v", err)
		}
		if f.get(c, "a") == nil { // the connection is good for others
			f.Error("the record is gone")
		}
	}},
	{"a context that is done stops a long query", func(f *fixture) {
		c := f.save(notes(), view("endless", `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT 'x' AS id FROM r WHERE n < 0`))
		ctx, cancel := context.WithTimeout(f.ctx, 50*time.Millisecond)
		defer cancel()
		err := f.store.Read(ctx, func(r store.Reader) error {
			_, err := r.Find(ctx, store.Query{Collection: c})
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			f.Errorf("error is %v", err)
		}
		// In a transaction it takes nothing else with it.
		ctx, cancel = context.WithTimeout(f.ctx, 50*time.Millisecond)
		defer cancel()
		own := f.collection("notes")
		f.write(func(tx store.Tx) error {
			if err := tx.Insert(f.ctx, note(own, "a", "")); err != nil {
				return err
			}
			if _, err := tx.Find(ctx, store.Query{Collection: c}); !errors.Is(err, context.DeadlineExceeded) {
				f.Errorf("error is %v", err)
			}
			return tx.Insert(f.ctx, note(own, "b", ""))
		})
		if got := f.find(store.Query{Collection: own}); len(got) != 2 {
			f.Errorf("records are %v", got)
		}
	}},
	{"more readers than connections", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", ""))
		parallel(100, func(int) {
			if f.get(c, "a") == nil {
				f.Error("the record is not there")
			}
		})
	}},
	{"a collection that has changed since it was looked up", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", ""))
		f.mustChange(c, func(c *pando.Collection) { c.Field("title").Name = "name" })
		err := f.store.Read(f.ctx, func(r store.Reader) error {
			_, err := r.Record(f.ctx, c, "a")
			return err
		})
		if pando.KindOf(err) != pando.KindUnavailable {
			f.Errorf("error is %v", err)
		}
	}},
}

// wait runs fn on a goroutine of its own and waits for it: within a Read, the
// store must not be called by the one who reads.
func wait(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}
