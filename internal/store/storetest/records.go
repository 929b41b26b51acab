package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

var recordTests = []test{
	{"values of every type come back as they were", func(f *fixture) {
		c := f.save(everything())
		var want []*pando.Record
		for _, id := range sortedKeys(values) {
			r := pando.NewRecord(c)
			r.Set("id", id)
			for name, v := range values[id] {
				r.Set(name, v)
			}
			want = append(want, r)
		}
		f.insert(want...)
		check := func(what string, got []*pando.Record) {
			if len(got) != len(want) {
				f.Fatalf("%s: %d records of %d", what, len(got), len(want))
			}
			for i, r := range got {
				if diff := cmp.Diff(want[i].Values, r.Values); diff != "" {
					f.Errorf("%s: %s (-want +got):\n%s", what, r.ID(), diff)
				}
				if r.Collection != c {
					f.Errorf("%s: the record is of another collection", what)
				}
			}
		}
		check("Find", f.page(store.Query{Collection: c}).Records)
		f.read(func(r store.Reader) error {
			got, err := r.Records(f.ctx, c, sortedKeys(values))
			check("Records", got)
			return err
		})
		f.store = f.backend.Reopen(f.T, f.store)
		c = f.collection("everything")
		check("after reopening", f.page(store.Query{Collection: c}).Records)

		// Each record becomes the next one.
		f.write(func(tx store.Tx) error {
			for i, old := range want {
				next := want[(i+1)%len(want)].Clone()
				next.Set("id", old.ID())
				if err := tx.Update(f.ctx, old, next); err != nil {
					return err
				}
			}
			return nil
		})
		for i, old := range want {
			next := want[(i+1)%len(want)].Clone()
			next.Set("id", old.ID())
			if diff := cmp.Diff(next.Values, f.get(c, old.ID()).Values); diff != "" {
				f.Errorf("after an update (-want +got):\n%s", diff)
			}
		}
	}},
	{"a record that is not there", func(f *fixture) {
		c := f.save(notes())
		f.read(func(r store.Reader) error {
			rec, err := r.Record(f.ctx, c, "nobody")
			if rec != nil || pando.KindOf(err) != pando.KindNotFound {
				f.Errorf("Record: %v, %v", rec, err)
			}
			recs, err := r.Records(f.ctx, c, []string{"nobody", ""})
			if len(recs) != 0 {
				f.Errorf("Records: %v", recs)
			}
			return err
		})
		_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
			return tx.Update(f.ctx, note(c, "nobody", "a"), note(c, "nobody", "b"))
		})
		if pando.KindOf(err) != pando.KindNotFound {
			f.Errorf("Update: %v", err)
		}
		_, err = f.store.Write(f.ctx, func(tx store.Tx) error { return tx.Delete(f.ctx, note(c, "nobody", "")) })
		if pando.KindOf(err) != pando.KindNotFound {
			f.Errorf("Delete: %v", err)
		}
	}},
	{"Records keeps the order of ids and leaves out the missing", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", ""), note(c, "b", ""), note(c, "c", ""))
		f.read(func(r store.Reader) error {
			recs, err := r.Records(f.ctx, c, []string{"c", "no", "a", "b"})
			if got := fmt.Sprint(ids(recs)); got != "[c a b]" {
				f.Errorf("got %s", got)
			}
			return err
		})
	}},
	{"ids differ by case", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "lower"), note(c, "A", "upper"))
		if got := f.get(c, "A").String("title"); got != "upper" {
			f.Errorf("A is %s", got)
		}
	}},
	{"a second record of one id is refused, and the transaction stays usable", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "first"))
		var err error // as the last run was told: what others were told is not kept
		f.write(func(tx store.Tx) error {
			err = tx.Insert(f.ctx, note(c, "a", "second"))
			return tx.Insert(f.ctx, note(c, "b", ""))
		})
		unique, ok := errors.AsType[*store.UniqueError](err)
		if !ok {
			f.Fatalf("error is %v", err)
		}
		if unique.Collection != c || unique.Index != "" || !slices.Equal(unique.Fields, []string{"id"}) || unique.Err == nil {
			f.Errorf("error is %+v", unique)
		}
		if got := f.get(c, "a").String("title"); got != "first" {
			f.Errorf("the first became %s", got)
		}
		if f.get(c, "b") == nil {
			f.Error("what came after the refusal is not there")
		}
	}},
	{"a unique index in the way", func(f *fixture) {
		c := notes()
		c.Indexes = []string{
			"CREATE UNIQUE INDEX idx_title ON notes (title COLLATE NOCASE) WHERE title != ''",
			"CREATE INDEX idx_n ON notes (n)",
			"CREATE UNIQUE INDEX idx_pair ON notes (`kind`, n)",
		}
		c = f.save(c)
		rec := func(id, title, kind string, n float64) *pando.Record {
			r := note(c, id, title)
			r.Set("kind", kind)
			r.Set("n", n)
			return r
		}
		f.insert(rec("a", "one", "x", 1), rec("b", "", "x", 2), rec("c", "", "x", 3))
		for _, tt := range []struct {
			name   string
			do     func(tx store.Tx) error
			index  string
			fields []string
		}{
			{"insert", func(tx store.Tx) error { return tx.Insert(f.ctx, rec("d", "ONE", "x", 4)) }, "idx_title", []string{"title"}},
			{"insert pair", func(tx store.Tx) error { return tx.Insert(f.ctx, rec("d", "", "x", 2)) }, "idx_pair", []string{"kind", "n"}},
			{"update", func(tx store.Tx) error {
				return tx.Update(f.ctx, rec("b", "", "x", 2), rec("b", "One", "x", 2))
			}, "idx_title", []string{"title"}},
			{"update pair", func(tx store.Tx) error {
				return tx.Update(f.ctx, rec("b", "", "x", 2), rec("b", "", "x", 3))
			}, "idx_pair", []string{"kind", "n"}},
		} {
			var err error
			f.write(func(tx store.Tx) error {
				err = tt.do(tx)
				return nil
			})
			unique, ok := errors.AsType[*store.UniqueError](err)
			if !ok {
				f.Errorf("%s: no UniqueError", tt.name)
				continue
			}
			if unique.Index != tt.index || !slices.Equal(unique.Fields, tt.fields) {
				f.Errorf("%s: %s on %v", tt.name, unique.Index, unique.Fields)
			}
		}
		if got := fmt.Sprint(f.find(store.Query{Collection: c})); got != "[a b c]" {
			f.Errorf("records are %s", got)
		}
	}},
	{"Truncate removes all records of its collection", func(f *fixture) {
		c, other := f.save(notes()), f.save(base("other", text("title")))
		for i := range 100 {
			f.insert(note(c, fmt.Sprint(i), ""))
		}
		f.insert(note(other, "x", ""))
		f.write(func(tx store.Tx) error {
			if err := tx.Truncate(f.ctx, c); err != nil {
				return err
			}
			return tx.Insert(f.ctx, note(c, "after", ""))
		})
		page := f.page(store.Query{Collection: c, Total: true})
		if got := fmt.Sprint(ids(page.Records), page.Total); got != "[after] 1" {
			f.Errorf("records are %s", got)
		}
		if f.get(other, "x") == nil {
			f.Error("a record of another collection is gone")
		}
	}},
}
