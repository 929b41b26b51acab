package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

// bulkTests hold store.InsertAll to what Insert promises.
var bulkTests = []test{
	{"keeps values and order", func(f *fixture) {
		c := f.save(everything())
		f.batches.take()
		var recs []*pando.Record
		var ids []string
		for round := range 30 {
			for _, name := range sortedKeys(values) {
				r := pando.NewRecord(c)
				for field, v := range values[name] {
					r.Set(field, v)
				}
				r.Set("id", fmt.Sprint(name, 99-round))
				recs, ids = append(recs, r), append(ids, r.ID())
			}
		}
		f.write(func(tx store.Tx) error {
			if err := store.InsertAll(f.ctx, tx, recs); err != nil {
				return err
			}
			page, err := tx.Find(f.ctx, store.Query{Collection: c, IDsOnly: true})
			if err != nil || len(page.Records) != len(recs) {
				f.Errorf("the transaction sees %d records, %v", len(page.Records), err)
			}
			return nil
		})
		got := f.page(store.Query{Collection: c}).Records
		if len(got) != len(recs) {
			f.Fatalf("%d records of %d", len(got), len(recs))
		}
		for i, want := range recs {
			if diff := cmp.Diff(want.Values, got[i].Values); diff != "" {
				f.Fatalf("record %d (-want +got):\n%s", i, diff)
			}
		}
		told := f.batches.take()
		if len(told) != 1 || len(told[0].Changes) != len(recs) || told[0].Changes[7].Action != changes.Create || told[0].Changes[7].Record.ID() != ids[7] {
			f.Errorf("told of %d batches", len(told))
		}
	}},
	{"a second record of one id", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "old"))
		for name, recs := range map[string][]*pando.Record{
			"stored":   {note(c, "b", ""), note(c, "a", "")},
			"together": {note(c, "x", ""), note(c, "y", ""), note(c, "x", "")},
		} {
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error { return store.InsertAll(f.ctx, tx, recs) })
			unique, ok := errors.AsType[*store.UniqueError](err)
			if !ok || unique.Collection != c || !slices.Equal(unique.Fields, []string{"id"}) {
				f.Errorf("%s: %v", name, err)
			}
		}
		if got := f.find(store.Query{Collection: c}); !slices.Equal(got, []string{"a"}) {
			f.Errorf("kept: %v", got)
		}
	}},
	{"nothing to insert", func(f *fixture) {
		f.save(notes())
		f.write(func(tx store.Tx) error { return store.InsertAll(f.ctx, tx, nil) })
	}},
	{"between other writes", func(f *fixture) {
		c := f.save(notes())
		f.write(func(tx store.Tx) error {
			if err := tx.Insert(f.ctx, note(c, "first", "")); err != nil {
				return err
			}
			if err := store.InsertAll(f.ctx, tx, []*pando.Record{note(c, "second", ""), note(c, "third", "")}); err != nil {
				return err
			}
			second, err := tx.Record(f.ctx, c, "second")
			if err != nil {
				return err
			}
			if err := tx.Delete(f.ctx, second); err != nil {
				return err
			}
			return tx.Insert(f.ctx, note(c, "fourth", ""))
		})
		if got, want := f.find(store.Query{Collection: c}), []string{"first", "third", "fourth"}; !slices.Equal(got, want) {
			f.Errorf("%v", got)
		}
	}},
}
