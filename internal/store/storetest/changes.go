package storetest

import (
	"errors"
	"fmt"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

var changeTests = []test{
	{"a batch says what a transaction did, in its order, before the answer", func(f *fixture) {
		c := f.save(notes())
		if got := f.batches.take(); len(got) != 1 || !got[0].Catalog || len(got[0].Changes) != 0 {
			f.Errorf("a new collection: %+v", got)
		}
		a, b := note(c, "a", "1"), note(c, "b", "2")
		next := a.Clone()
		next.Set("title", "3")
		n := f.write(func(tx store.Tx) error {
			return errors.Join(tx.Insert(f.ctx, a), tx.Insert(f.ctx, b), tx.Update(f.ctx, a, next), tx.Delete(f.ctx, b))
		})
		got := f.batches.take()
		if len(got) != 1 || got[0].Position != n || got[0].Catalog {
			f.Fatalf("batches: %+v, position %d", got, n)
		}
		text := ""
		for _, ch := range got[0].Changes {
			old := "-"
			if ch.Old != nil {
				old = ch.Old.String("title")
			}
			text += fmt.Sprintf("%s %s %s %s; ", ch.Action, ch.Record.ID(), ch.Record.String("title"), old)
		}
		if want := "create a 1 -; create b 2 -; update a 3 1; delete b 2 -; "; text != want {
			f.Errorf("changes: %s\nwant: %s", text, want)
		}
	}},
	{"an update that changes nothing is a change", func(f *fixture) {
		c := f.save(notes())
		a := note(c, "a", "1")
		f.insert(a)
		f.batches.take()
		f.write(func(tx store.Tx) error { return tx.Update(f.ctx, a, a.Clone()) })
		if got := f.batches.take(); len(got) != 1 || len(got[0].Changes) != 1 || got[0].Changes[0].Action != changes.Update {
			f.Errorf("batches: %+v", got)
		}
	}},
	{"a delete's change carries what its context had for it", func(f *fixture) {
		c := f.save(notes())
		a, b := note(c, "a", ""), note(c, "b", "")
		f.insert(a)
		f.insert(b)
		f.batches.take()
		f.write(func(tx store.Tx) error {
			return errors.Join(tx.Delete(changes.Prepare(f.ctx, "for a"), a), tx.Delete(f.ctx, b))
		})
		got := f.batches.take()
		if len(got) != 1 || len(got[0].Changes) != 2 || got[0].Changes[0].Prepared != "for a" || got[0].Changes[1].Prepared != nil {
			f.Errorf("batches: %+v", got)
		}
	}},
	{"Truncate tells of no record", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", ""))
		f.batches.take()
		f.write(func(tx store.Tx) error { return tx.Truncate(f.ctx, c) })
		for _, b := range f.batches.take() {
			if len(b.Changes) > 0 {
				f.Errorf("changes: %+v", b.Changes)
			}
		}
	}},
	{"batches come in commit order, each once", func(f *fixture) {
		c := f.save(notes())
		f.batches.take()
		answered := make(chan position.N, 200)
		parallel(20, func(i int) {
			for k := range 10 {
				n, err := f.store.Write(f.ctx, func(tx store.Tx) error {
					if err := tx.Insert(f.ctx, note(c, fmt.Sprintf("%d-%d", i, k), "")); err != nil {
						return err
					}
					if k%4 == 3 {
						return errors.New("no")
					}
					return nil
				})
				if k%4 == 3 {
					continue
				}
				if err != nil {
					f.Error(err)
				}
				answered <- n
			}
		})
		close(answered)
		byPosition := map[position.N]bool{}
		last := position.N(0)
		for _, b := range f.batches.take() {
			if b.Position <= last || len(b.Changes) != 1 {
				f.Errorf("after %d: %+v", last, b)
			}
			last = b.Position
			byPosition[b.Position] = true
		}
		count := 0
		for n := range answered {
			count++
			if !byPosition[n] {
				f.Errorf("no batch at %d", n)
			}
		}
		if len(byPosition) != count {
			f.Errorf("%d batches for %d writes", len(byPosition), count)
		}
	}},
	{"what a batch tells of is visible", func(f *fixture) {
		seen := make(chan error, 10)
		f.store.Close()
		index := position.NewIndex(0)
		var s store.Store
		s = f.backend.Open(f.T, index, sinkFunc(func(b changes.Batch) {
			for _, ch := range b.Changes {
				// On a goroutine of its own: a sink must not block.
				go func() {
					seen <- s.Read(f.ctx, func(r store.Reader) error {
						if r.Stamp() < b.Position || index.Frontier() < b.Position {
							return fmt.Errorf("stamp %d, frontier %d, batch %d", r.Stamp(), index.Frontier(), b.Position)
						}
						_, err := r.Record(f.ctx, ch.Record.Collection, ch.Record.ID())
						return err
					})
				}()
			}
		}))
		f.store = s
		c := f.save(notes())
		for i := range cap(seen) {
			f.insert(note(c, fmt.Sprint(i), ""))
		}
		for range cap(seen) {
			if err := <-seen; err != nil {
				f.Error(err)
			}
		}
	}},
}

type sinkFunc func(changes.Batch)

func (s sinkFunc) Publish(b changes.Batch) { s(b) }
