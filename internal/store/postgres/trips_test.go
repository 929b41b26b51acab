package postgres

import (
	"fmt"
	"testing"

	"github.com/pandobase/pando/internal/store"
)

func TestRoundTrips(t *testing.T) {
	w := new(cable)
	s, c := fresh(t, Options{PoolSize: 1, OneShot: true, dial: w.dial})
	ctx := t.Context()
	seed := thing(c, "seed", "a", 1)
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, seed) })
	get(t, s, c, "seed") // connects
	n := 0
	for _, tt := range []struct {
		name string
		want int
		do   func() error
	}{
		{"view a record", 1, func() error {
			return s.Read(store.One(ctx), func(r store.Reader) error { _, err := r.Record(ctx, c, "seed"); return err })
		}},
		{"list with a total", 1, func() error {
			return s.Read(store.One(ctx), func(r store.Reader) error {
				_, err := r.Find(ctx, store.Query{Collection: c, Limit: 10, Total: true})
				return err
			})
		}},
		{"a read of two questions, with its end", 3, func() error {
			return s.Read(ctx, func(r store.Reader) error {
				if _, err := r.Record(ctx, c, "seed"); err != nil {
					return err
				}
				_, err := r.Find(ctx, store.Query{Collection: c})
				return err
			})
		}},
		{"a read that asks nothing", 0, func() error {
			return s.Read(ctx, func(r store.Reader) error { _, _ = r.Catalog(), r.Stamp(); return nil })
		}},
		{"create", 1, func() error {
			n++
			_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, fmt.Sprint(n), "b", 2)) })
			return err
		}},
		{"create that hangs on another record", 1, func() error {
			n++
			_, err := s.Write(ctx, func(tx store.Tx) error {
				if there, err := store.AllThere(ctx, tx, c, []string{"seed"}); err != nil || !there {
					return fmt.Errorf("there: %v, %w", there, err)
				}
				return tx.Insert(ctx, thing(c, fmt.Sprint(n), "b", 2))
			})
			return err
		}},
		{"100 creates", 1, func() error {
			_, err := s.Write(ctx, func(tx store.Tx) error {
				for range 100 {
					n++
					if err := tx.Insert(ctx, thing(c, fmt.Sprint(n), "b", 2)); err != nil {
						return err
					}
				}
				return nil
			})
			return err
		}},
		{"update", 2, func() error {
			_, err := s.Write(ctx, func(tx store.Tx) error {
				old, err := tx.Record(ctx, c, "seed")
				if err != nil {
					return err
				}
				return tx.Update(ctx, old, thing(c, "seed", "a", old.Get("n").(float64)+1))
			})
			return err
		}},
		{"read and delete", 2, func() error {
			_, err := s.Write(ctx, func(tx store.Tx) error {
				old, err := tx.Record(ctx, c, fmt.Sprint(n))
				if err != nil {
					return err
				}
				n--
				return tx.Delete(ctx, old)
			})
			return err
		}},
		{"a write that asks nothing", 0, func() error {
			_, err := s.Write(ctx, func(store.Tx) error { return nil })
			return err
		}},
	} {
		for round := range 2 { // statements are prepared in the first one, with no trip of their own
			got := w.count(func() {
				if err := tt.do(); err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				s.unknown.Wait() // for the end of a snapshot
			})
			if got != tt.want {
				t.Errorf("%s, round %d: %d round trips, want %d", tt.name, round, got, tt.want)
			}
		}
	}
}
