package postgres

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// What an index cannot hold is the client's to change, whichever way it is
// written, and the transaction goes on.
func TestMisfits(t *testing.T) {
	s, c := fresh(t, Options{})
	ctx := t.Context()
	write(t, s, func(tx store.Tx) error {
		next := c.Clone()
		next.Indexes = []string{"CREATE INDEX `byTitle` ON `things` (`title`)", "CREATE INDEX `byTwice` ON `things` (`n` * 2)"}
		return tx.SaveCollection(ctx, c, next)
	})
	c = s.Catalog().Collection("things")
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "old", "short", 1)) })

	r := rand.New(rand.NewPCG(1, 2))
	long := make([]byte, 20_000) // which cannot be packed into less
	for i := range long {
		long[i] = byte('!' + r.IntN(90))
	}
	for name, misfit := range map[string]*pando.Record{
		"just too long": thing(c, "old", string(long[:3000]), 1),
		"far too long":  thing(c, "old", string(long), 1),
		"too large":     thing(c, "old", "short", 1.5e308),
	} {
		t.Run(name, func(t *testing.T) {
			insert := misfit.Clone()
			insert.Set("id", "new")
			refused := func(err error) {
				t.Helper()
				if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "index") {
					t.Errorf("error is %v", err)
				}
			}
			_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, insert) })
			refused(err)
			_, err = s.Write(ctx, func(tx store.Tx) error {
				old, err := tx.Record(ctx, c, "old")
				if err != nil {
					return err
				}
				return tx.Update(ctx, old, misfit)
			})
			refused(err)
			write(t, s, func(tx store.Tx) error {
				err := tx.Insert(ctx, insert)
				if err == nil { // it was put off
					_, err = tx.Record(ctx, c, "new")
					return err
				}
				refused(err)
				return tx.Insert(ctx, thing(c, name, "short", 1))
			})
			if get(t, s, c, "new") != nil || get(t, s, c, "old").Get("title") != "short" || get(t, s, c, name) == nil {
				t.Error("not what was to be kept, and nothing else, was kept")
			}
		})
	}
}
