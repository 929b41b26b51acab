package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

var writeTests = []test{
	{"returns its position", func(f *fixture) {
		c := f.save(notes())
		last := position.N(0)
		for i := range 5 {
			n := f.insert(note(c, fmt.Sprint(i), ""))
			if n <= last {
				f.Errorf("position %d after %d", n, last)
			}
			last = n
		}
	}},
	{"positions are distinct and follow the commits", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "x", "0"))
		var mu sync.Mutex
		seen := map[position.N]string{} // what the record said after the commit at a position
		parallel(40, func(i int) {
			var title string
			n, err := f.store.Write(f.ctx, func(tx store.Tx) error {
				r, err := tx.Record(f.ctx, c, "x")
				if err != nil {
					return err
				}
				next := r.Clone()
				title = fmt.Sprint(len(r.String("title")), r.String("title"))
				next.Set("title", title)
				return tx.Update(f.ctx, r, next)
			})
			if err != nil {
				f.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[n] != "" {
				f.Errorf("two transactions at position %d", n)
			}
			seen[n] = title
		})
		var order []string
		for _, n := range sortedKeys(seen) {
			order = append(order, seen[n])
		}
		for i := 1; i < len(order); i++ {
			if !strings.HasSuffix(order[i], order[i-1]) {
				f.Fatalf("position order is not the order of effects: %q after %q", order[i], order[i-1])
			}
		}
	}},
	{"is serial with all others", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "x", ""))
		parallel(64, func(int) {
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
				r, err := tx.Record(f.ctx, c, "x")
				if err != nil {
					return err
				}
				next := r.Clone()
				next.Set("n", r.Get("n").(float64)+1)
				return tx.Update(f.ctx, r, next)
			})
			if err != nil {
				f.Error(err)
			}
		})
		if n := f.get(c, "x").Get("n"); n != 64.0 {
			f.Errorf("64 increments made %v", n)
		}
	}},
	{"an answered write is in every later snapshot", func(f *fixture) {
		c := f.save(notes())
		parallel(16, func(i int) {
			for k := range 10 {
				id := fmt.Sprintf("%d-%d", i, k)
				n, err := f.store.Write(f.ctx, func(tx store.Tx) error { return tx.Insert(f.ctx, note(c, id, "")) })
				if err != nil {
					f.Error(err)
					return
				}
				err = f.store.Read(f.ctx, func(r store.Reader) error {
					if r.Stamp() < n {
						f.Errorf("a snapshot of stamp %d after an answer at %d", r.Stamp(), n)
					}
					_, err := r.Record(f.ctx, c, id)
					return err
				})
				if err != nil {
					f.Errorf("%s: %v", id, err)
				}
			}
		})
	}},
	{"a failed one leaves nothing, and its error comes back as it is", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "old", "old"))
		f.batches.take()
		mine := errors.New("mine")
		_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
			old, err := tx.Record(f.ctx, c, "old")
			if err != nil {
				return err
			}
			changed := old.Clone()
			changed.Set("title", "new")
			next := c.Clone()
			next.Fields = append(next.Fields, text("more"))
			if err := errors.Join(
				tx.Insert(f.ctx, note(c, "a", "")), tx.Update(f.ctx, old, changed), tx.Delete(f.ctx, changed),
				tx.SetParam(f.ctx, "p", []byte("v")), tx.SaveCollection(f.ctx, nil, base("other")),
				tx.SaveCollection(f.ctx, c, next),
				tx.SaveSettings(f.ctx, &pando.Settings{Meta: pando.MetaSettings{AppName: "changed"}}),
			); err != nil {
				return err
			}
			return mine
		})
		if err != mine {
			f.Errorf("error is %v", err)
		}
		if r := f.get(c, "old"); r == nil || r.String("title") != "old" || f.get(c, "a") != nil {
			f.Error("records were changed")
		}
		cat := f.store.Catalog()
		if cat.Collection("other") != nil || cat.Collection("notes").Field("more") != nil || cat.Settings.Meta.AppName == "changed" {
			f.Error("the catalog was changed")
		}
		f.read(func(r store.Reader) error {
			v, err := r.Param(f.ctx, "p")
			if v != nil {
				f.Errorf("the param was set to %q", v)
			}
			return err
		})
		if got := f.batches.take(); len(got) > 0 {
			f.Errorf("published %v", got)
		}
	}},
	{"failures do not touch those who share a commit", func(f *fixture) {
		c := f.save(notes())
		var failed, kept atomic.Int64
		parallel(60, func(i int) {
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
				if err := tx.Insert(f.ctx, note(c, fmt.Sprint("a", i), "")); err != nil {
					return err
				}
				if i%3 == 0 {
					return errors.New("no")
				}
				return tx.Insert(f.ctx, note(c, fmt.Sprint("b", i), ""))
			})
			if err != nil {
				failed.Add(1)
			} else {
				kept.Add(1)
			}
		})
		if failed.Load() != 20 || kept.Load() != 40 {
			f.Errorf("%d failed, %d kept", failed.Load(), kept.Load())
		}
		for _, id := range f.find(store.Query{Collection: c}) {
			var i int
			fmt.Sscan(id[1:], &i)
			if i%3 == 0 {
				f.Errorf("%s of a failed transaction is there", id)
			}
		}
		if page := f.page(store.Query{Collection: c, Total: true, Limit: 1}); page.Total != 80 {
			f.Errorf("%d records", page.Total)
		}
	}},
	{"a panic is a failure", func(f *fixture) {
		c := f.save(notes())
		parallel(10, func(i int) {
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
				if err := tx.Insert(f.ctx, note(c, fmt.Sprint(i), "")); err != nil {
					return err
				}
				if i%2 == 0 {
					panic("an accident")
				}
				return nil
			})
			if i%2 == 0 && (err == nil || pando.KindOf(err) != pando.KindInternal || !strings.Contains(err.Error(), "an accident")) {
				f.Errorf("a panic came back as %v", err)
			}
			if i%2 == 1 && err != nil {
				f.Error(err)
			}
		})
		if got := len(f.find(store.Query{Collection: c})); got != 5 {
			f.Errorf("%d records", got)
		}
	}},
	{"a goroutine that ends is a failure", func(f *fixture) {
		c := f.save(notes())
		_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
			if err := tx.Insert(f.ctx, note(c, "a", "")); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		})
		if err == nil {
			f.Error("no error")
		}
		f.insert(note(c, "b", ""))
		if got := fmt.Sprint(f.find(store.Query{Collection: c})); got != "[b]" {
			f.Errorf("records are %s", got)
		}
	}},
	{"a context that is done before the turn comes", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		_, err := f.store.Write(ctx, func(store.Tx) error {
			f.Error("fn was called")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			f.Errorf("error is %v", err)
		}
	}},
	{"a context that is done while others are served", func(f *fixture) {
		inside, release := make(chan struct{}), make(chan struct{})
		done := make(chan error)
		go func() {
			_, err := f.store.Write(f.ctx, func(store.Tx) error {
				close(inside)
				<-release
				return nil
			})
			done <- err
		}()
		<-inside
		ctx, cancel := context.WithCancel(f.ctx)
		go func() {
			_, err := f.store.Write(ctx, func(store.Tx) error {
				<-ctx.Done() // a store that serves several at once may have begun by then
				return ctx.Err()
			})
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			f.Errorf("error is %v", err)
		}
		close(release)
		if err := <-done; err != nil {
			f.Error(err)
		}
	}},
	{"a context that is done while it runs", func(f *fixture) {
		c := f.save(notes())
		ctx, cancel := context.WithCancel(f.ctx)
		_, err := f.store.Write(ctx, func(tx store.Tx) error {
			if err := tx.Insert(ctx, note(c, "a", "")); err != nil {
				return err
			}
			cancel()
			_, err := tx.Record(ctx, c, "a")
			return err
		})
		if !errors.Is(err, context.Canceled) {
			f.Errorf("error is %v", err)
		}
		if f.get(c, "a") != nil {
			f.Error("the record is there")
		}
	}},
	{"a context that is done at its end decides nothing by halves", func(f *fixture) {
		c := f.save(notes())
		for i := range 20 {
			ctx, cancel := context.WithCancel(f.ctx)
			id := fmt.Sprint(i)
			_, err := f.store.Write(ctx, func(tx store.Tx) error {
				defer cancel()
				return tx.Insert(ctx, note(c, id, ""))
			})
			if there := f.get(c, id) != nil; there != (err == nil) {
				f.Errorf("error is %v, and the record is there: %v", err, there)
			}
		}
	}},
	{"without a change is fine", func(f *fixture) {
		c := f.save(notes())
		n := f.insert(note(c, "a", ""))
		got := f.write(func(tx store.Tx) error {
			_, err := tx.Record(f.ctx, c, "a")
			return err
		})
		if got < n {
			f.Errorf("position %d after %d", got, n)
		}
	}},
	{"a Tx sees its own writes", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "old"), note(c, "b", ""))
		f.write(func(tx store.Tx) error {
			old, err := tx.Record(f.ctx, c, "a")
			if err != nil {
				return err
			}
			next := old.Clone()
			next.Set("title", "new")
			b, err := tx.Record(f.ctx, c, "b")
			if err != nil {
				return err
			}
			if err := errors.Join(tx.Update(f.ctx, old, next), tx.Delete(f.ctx, b), tx.Insert(f.ctx, note(c, "c", ""))); err != nil {
				return err
			}
			page, err := tx.Find(f.ctx, store.Query{Collection: c, Total: true})
			if got := fmt.Sprint(ids(page.Records), page.Total); got != "[a c] 2" {
				f.Errorf("the transaction sees %s", got)
			}
			if r, err := tx.Record(f.ctx, c, "a"); err != nil || r.String("title") != "new" {
				f.Errorf("%v, %v", r, err)
			}
			if _, err := tx.Record(f.ctx, c, "b"); pando.KindOf(err) != pando.KindNotFound {
				f.Errorf("a deleted record: %v", err)
			}
			return err
		})
	}},
	{"a Tx does not see what is not committed elsewhere", func(f *fixture) {
		c := f.save(notes())
		f.write(func(tx store.Tx) error {
			if err := tx.Insert(f.ctx, note(c, "a", "")); err != nil {
				return err
			}
			seen := make(chan []string)
			go func() { seen <- f.find(store.Query{Collection: c}) }()
			if got := <-seen; len(got) != 0 {
				f.Errorf("a reader sees %v", got)
			}
			return nil
		})
	}},
	{"params", func(f *fixture) {
		param := func(r store.Reader, key string) string {
			v, err := r.Param(f.ctx, key)
			if err != nil {
				f.Fatal(err)
			}
			if v == nil {
				return "nil"
			}
			return fmt.Sprintf("%q", v)
		}
		f.write(func(tx store.Tx) error {
			return errors.Join(tx.SetParam(f.ctx, "a", []byte("1\x00\xff")), tx.SetParam(f.ctx, "b", []byte("2")), tx.SetParam(f.ctx, "e", []byte{}))
		})
		f.write(func(tx store.Tx) error {
			return errors.Join(tx.SetParam(f.ctx, "a", []byte("3")), tx.SetParam(f.ctx, "b", nil), tx.SetParam(f.ctx, "never", nil))
		})
		f.store = f.backend.Reopen(f.T, f.store)
		f.read(func(r store.Reader) error {
			if got := param(r, "a") + param(r, "b") + param(r, "e") + param(r, "never"); got != `"3"nil""nil` {
				f.Errorf("params are %s", got)
			}
			return nil
		})
	}},
	{"after Close", func(f *fixture) {
		if err := f.store.Close(); err != nil {
			f.Fatal(err)
		}
		if err := f.store.Close(); err != nil {
			f.Errorf("a second time: %v", err)
		}
		_, werr := f.store.Write(f.ctx, func(store.Tx) error { return nil })
		rerr := f.store.Read(f.ctx, func(store.Reader) error { return nil })
		for _, err := range []error{werr, rerr} {
			if pando.KindOf(err) != pando.KindUnavailable {
				f.Errorf("error is %v", err)
			}
		}
	}},
	{"Close waits for the writes under way", func(f *fixture) {
		c := f.save(notes())
		inside, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
				close(inside)
				<-release
				return tx.Insert(f.ctx, note(c, "a", ""))
			})
			if err != nil {
				f.Error(err)
			}
		})
		<-inside
		wg.Go(func() { close(release) })
		f.store = f.backend.Reopen(f.T, f.store)
		wg.Wait()
		if f.get(c, "a") == nil {
			f.Error("the record is not there")
		}
	}},
}
