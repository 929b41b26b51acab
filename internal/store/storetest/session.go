package storetest

import (
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

var sessionTests = []test{
	{"a session is told of what is written and read", func(f *fixture) {
		c := f.save(notes())
		a := note(c, "a", "")
		session := position.NewSession(position.Token{})
		ctx := position.WithSession(f.ctx, session)
		n, err := f.store.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, a) })
		if err != nil {
			f.Fatal(err)
		}
		written := session.Observed()
		if written.N < n {
			f.Errorf("written at %d, the session says %d", n, written.N)
		}
		for _, read := range []struct {
			what string
			fn   func(r store.Reader) error
		}{
			{"a record", func(r store.Reader) error { _, err := r.Record(ctx, c, "a"); return err }},
			{"a list", func(r store.Reader) error { _, err := r.Find(ctx, store.Query{Collection: c}); return err }},
			{"that there is none", func(r store.Reader) error {
				if _, err := r.Record(ctx, c, "none"); pando.KindOf(err) != pando.KindNotFound {
					return errors.Join(errors.New("it is there"), err)
				}
				return nil
			}},
		} {
			later := position.NewSession(written)
			ctx = position.WithSession(f.ctx, later)
			if err := f.store.Read(ctx, read.fn); err != nil {
				f.Fatalf("%s: %v", read.what, err)
			}
			if got := later.Observed(); got.Compare(written) < 0 {
				f.Errorf("%s is of %v, and shows what was written at %v", read.what, got, written)
			}
		}
	}},
	{"a write that fails has read what others wrote", func(f *fixture) {
		c := f.save(notes())
		a := note(c, "a", "")
		n := f.write(func(tx store.Tx) error { return tx.Insert(f.ctx, a) })
		session := position.NewSession(position.Token{})
		ctx := position.WithSession(f.ctx, session)
		_, err := f.store.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, note(c, "a", "")) })
		if _, twice := errors.AsType[*store.UniqueError](err); !twice {
			f.Fatalf("the second of one id: %v", err)
		}
		if got := session.Observed(); got.N < n {
			f.Errorf("refused because of what was written at %d, the session says %d", n, got.N)
		}
	}},
}
