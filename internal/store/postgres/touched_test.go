package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/postgres"
)

// What followers of another server are told of an update that changed nothing is what the
// record was then, not what it became before they were told.
func TestTouchedIsToldAsItWas(t *testing.T) {
	_, url := localclustertest.Database(t)
	w := openStreamed(t, url, position.NewIndex(0), nil)
	ctx := t.Context()
	write := func(fn func(store.Tx) error) {
		t.Helper()
		if _, err := w.Write(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	c := counting(t, w.Store, 1722)
	other, err := postgres.Open(ctx, postgres.Options{URL: url, OneShot: true}) // another server
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	log, err := w.Log().Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for _, n := range []float64{1723, 1723, 1724} {
		write(func(tx store.Tx) error {
			old, err := tx.Record(ctx, c, "a")
			if err != nil {
				return err
			}
			r := old.Clone()
			r.Set("n", n)
			return tx.Update(ctx, old, r)
		})
	}
	limit, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var got []any
	for len(got) < 3 {
		chunk, err := log.Next(limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range chunk.Entries {
			for _, ch := range other.Batch(ctx, position.Run{}, e, func() bool { return true }).Changes {
				if ch.Action != changes.Update {
					t.Errorf("%s", ch.Action)
				}
				got = append(got, ch.Record.Get("n"))
			}
		}
	}
	if got[0] != 1723.0 || got[1] != 1723.0 || got[2] != 1724.0 {
		t.Errorf("followers are told %v", got)
	}
}

// TestTouchedIsToldInOrder: what another makes of a record before an update that changes
// nothing is committed is heard of before it, and is gone then.
func TestTouchedIsToldInOrder(t *testing.T) {
	for _, streamed := range []bool{true, false} {
		t.Run(map[bool]string{true: "streamed", false: "alone"}[streamed], func(t *testing.T) {
			_, url := localclustertest.Database(t)
			ctx := t.Context()
			var w *postgres.Store
			if streamed {
				w = openStreamed(t, url, position.NewIndex(0), nil).Store
			} else {
				var err error
				if w, err = postgres.Open(ctx, postgres.Options{URL: url}); err != nil {
					t.Fatal(err)
				}
				defer w.Close()
			}
			c := counting(t, w, 1)
			another, err := pgx.Connect(ctx, url)
			if err != nil {
				t.Fatal(err)
			}
			defer another.Close(ctx)
			tries := 0
			_, err = w.Write(ctx, func(tx store.Tx) error {
				old, err := tx.Record(ctx, c, "a")
				if err != nil {
					return err
				}
				if tries++; tries == 1 {
					if _, err := another.Exec(ctx, `UPDATE counters SET n = 2 WHERE id = 'a'`); err != nil {
						return err
					}
				}
				r := old.Clone()
				r.Set("n", 1.0)
				return tx.Update(ctx, old, r)
			})
			var n float64
			if err == nil {
				err = another.QueryRow(ctx, `SELECT n FROM counters WHERE id = 'a'`).Scan(&n)
			}
			if err != nil || n != 1 || tries != 2 {
				t.Errorf("%v: n is %v behind the update to 1, which took %d tries", err, n, tries)
			}
		})
	}
}

// counting makes a collection with a record that has n.
func counting(t *testing.T, w *postgres.Store, n float64) *pando.Collection {
	t.Helper()
	ctx := t.Context()
	_, err := w.Write(ctx, func(tx store.Tx) error {
		return tx.SaveCollection(ctx, nil, &pando.Collection{ID: "pbc_c", Name: "counters", Type: pando.TypeBase, Fields: []*pando.Field{
			{ID: "f_id", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
			{ID: "f_n", Name: "n", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	c := w.Catalog().Collection("counters")
	_, err = w.Write(ctx, func(tx store.Tx) error {
		r := pando.NewRecord(c)
		r.Set("id", "a")
		r.Set("n", n)
		return tx.Insert(ctx, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
