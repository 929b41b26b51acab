package postgres

import (
	"errors"
	"slices"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// TestInsertAllRefused: the transaction goes on without those that were refused.
func TestInsertAllRefused(t *testing.T) {
	s, c := fresh(t, Options{OneShot: true})
	ctx := t.Context()
	write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "stored", "", 0)) })
	invalid := func(err error) bool { return pando.KindOf(err) == pando.KindInvalid }
	unique := func(err error) bool { _, ok := errors.AsType[*store.UniqueError](err); return ok }
	for name, tt := range map[string]struct {
		recs []*pando.Record
		is   func(error) bool
	}{
		"stored":    {[]*pando.Record{thing(c, "b", "", 0), thing(c, "stored", "", 0)}, unique},
		"together":  {[]*pando.Record{thing(c, "b", "", 0), thing(c, "d", "", 0), thing(c, "b", "", 0)}, unique},
		"NUL":       {[]*pando.Record{thing(c, "b", "", 0), thing(c, "d", "\x00", 0)}, invalid},
		"not UTF-8": {[]*pando.Record{thing(c, "b", "", 0), thing(c, "d", "\xff", 0)}, invalid},
	} {
		var refused error
		write(t, s, func(tx store.Tx) error {
			if err := tx.Insert(ctx, thing(c, "before "+name, "", 0)); err != nil {
				return err
			}
			refused = store.InsertAll(ctx, tx, tt.recs)
			return tx.Insert(ctx, thing(c, "behind "+name, "", 0))
		})
		if !tt.is(refused) {
			t.Errorf("%s: %v", name, refused)
		}
	}
	var got []string
	err := s.Read(ctx, func(r store.Reader) error {
		page, err := r.Find(ctx, store.Query{Collection: c})
		got = nil
		for _, rec := range page.Records {
			got = append(got, rec.ID())
		}
		return err
	})
	slices.Sort(got)
	want := []string{"before NUL", "before not UTF-8", "before stored", "before together",
		"behind NUL", "behind not UTF-8", "behind stored", "behind together", "stored"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %q", err, got)
	}
}
