package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

var findTests = []test{
	{"insertion order, whatever happens to records", func(f *fixture) {
		c := notes()
		c.Indexes = []string{"CREATE INDEX idx_title ON notes (title)"}
		c = f.save(c)
		for i := range 20 { // ids and titles in the opposite order
			f.insert(note(c, fmt.Sprintf("%02d", 20-i), fmt.Sprintf("%02d", 20-i)))
		}
		var want []string
		f.write(func(tx store.Tx) error {
			page, err := tx.Find(f.ctx, store.Query{Collection: c})
			if err != nil {
				return err
			}
			for i, r := range page.Records {
				if i%4 == 1 || i == 19 { // the last one as well
					if err := tx.Delete(f.ctx, r); err != nil {
						return err
					}
					continue
				}
				next := r.Clone()
				next.Set("title", "zz"+r.String("title"))
				if err := tx.Update(f.ctx, r, next); err != nil {
					return err
				}
				want = append(want, r.ID())
			}
			return nil
		})
		f.insert(note(c, "after", "aa"), note(c, "00", "bb"))
		want = append(want, "after", "00")
		if got := f.find(store.Query{Collection: c}); !slices.Equal(got, want) {
			f.Errorf("got  %v\nwant %v", got, want)
		}
		c = f.mustChange(c, func(c *pando.Collection) {
			c.Field("title").Name = "name"
			c.Field("tags").Options = &pando.SelectOptions{MaxSelect: 1}
			c.Fields = append(c.Fields, number("more"))
			c.Name, c.Indexes = "papers", nil
		})
		if got := f.find(store.Query{Collection: c}); !slices.Equal(got, want) {
			f.Errorf("after a change of the collection: %v", got)
		}
		f.store = f.backend.Reopen(f.T, f.store)
		if got := f.find(store.Query{Collection: f.collection("papers")}); !slices.Equal(got, want) {
			f.Errorf("after reopening: %v", got)
		}
	}},
	{"Match, Offset, Limit, Total, IDsOnly, After", func(f *fixture) {
		c := f.save(notes())
		for i := range 10 {
			r := note(c, fmt.Sprint(i), []string{"Odd", "even", "ODD", "Even", "odd"}[i%5])
			r.Set("tags", [][]string{nil, {"a"}, {"a", "b"}, {"ab"}}[i%4])
			r.Set("kind", []string{"x", "y"}[i%2])
			r.Set("n", float64(i))
			f.insert(r)
		}
		match := func(m ...store.Match) store.Query { return store.Query{Collection: c, Match: m, Total: true} }
		with := func(q store.Query, edit func(q *store.Query)) store.Query {
			edit(&q)
			return q
		}
		for _, tt := range []struct {
			name  string
			q     store.Query
			want  string
			total int
		}{
			{"all", match(), "0123456789", 10},
			{"exact", match(store.Match{Field: "title", Value: "odd"}), "49", 2},
			{"any case", match(store.Match{Field: "title", Value: "oDd", NoCase: true}), "024579", 6},
			{"one of many", match(store.Match{Field: "tags", Value: "a"}), "12569", 5},
			{"one of many, any case", match(store.Match{Field: "tags", Value: "AB", NoCase: true}), "37", 2},
			{"not a part", match(store.Match{Field: "tags", Value: "[\"a\"]"}), "", 0},
			{"both", match(store.Match{Field: "kind", Value: "x"}, store.Match{Field: "tags", Value: "b"}), "26", 2},
			{"by id", match(store.Match{Field: "id", Value: "3"}), "3", 1},
			{"none", match(store.Match{Field: "title", Value: "' OR 1=1 --"}), "", 0},
			{"limit", with(match(), func(q *store.Query) { q.Limit = 3 }), "012", 10},
			{"offset", with(match(), func(q *store.Query) { q.Offset = 8 }), "89", 10},
			{"page", with(match(store.Match{Field: "kind", Value: "y"}), func(q *store.Query) { q.Offset, q.Limit = 2, 2 }), "57", 5},
			{"beyond", with(match(), func(q *store.Query) { q.Offset, q.Limit = 100, 5 }), "", 10},
			{"no total", with(match(), func(q *store.Query) { q.Total = false }), "0123456789", -1},
			{"after", with(match(), func(q *store.Query) { q.After, q.Limit = "6", 2 }), "78", 3},
			{"after the last", with(match(), func(q *store.Query) { q.After = "9" }), "", 0},
		} {
			for _, idsOnly := range []bool{false, true} {
				tt.q.IDsOnly = idsOnly
				page := f.page(tt.q)
				got := ""
				for _, id := range ids(page.Records) {
					got += id
				}
				if tt.q.After != "" {
					page.Total = tt.total // whether it counts what came before is open
				}
				if got != tt.want || page.Total != tt.total {
					f.Errorf("%s: %q of %d, want %q of %d", tt.name, got, page.Total, tt.want, tt.total)
				}
				for _, r := range page.Records {
					if idsOnly && r.String("title") != "" || !idsOnly && r.String("title") == "" {
						f.Errorf("%s, ids only %v: title is %q", tt.name, idsOnly, r.String("title"))
					}
				}
			}
		}
	}},
	{"Where, Sort and Virtual", func(f *fixture) {
		c := f.save(notes())
		for i, title := range []string{"b", "a", "c", "b"} {
			r := note(c, fmt.Sprint(i), title)
			r.Set("n", float64(i))
			f.insert(r)
		}
		virtual := note(c, "v", "mine")
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		for _, tt := range []struct {
			where, sort string
			virtual     *pando.Record
			want        string
			total       int
		}{
			{"n > 0", "", nil, "[1 2]", 3},
			{"n > 0 && title = 'b'", "", nil, "[3]", 1},
			{"title = @request.auth.title", "", nil, "[]", 0},
			{"", "title,-n", nil, "[1 3]", 4},
			{"title != 'a'", "-n", nil, "[3 2]", 3},
			{"@now = '2026-01-02 03:04:05.000Z'", "", nil, "[0 1]", 4},
			{"title = 'mine'", "", virtual, "[v]", 1},
			{"title = 'b'", "", virtual, "[]", 0},
			{"@collection.notes.title ?= 'b' && title = 'mine'", "", virtual, "[v]", 1},
		} {
			q := store.Query{Collection: c, Virtual: tt.virtual, Limit: 2, Total: true}
			if tt.where != "" {
				r, err := rule.Compile(tt.where, rule.Scope{Schema: f.store.Catalog(), Collection: c})
				if err != nil {
					f.Fatal(err)
				}
				q.Where = []store.Condition{{Rule: r, Request: &pando.Request{Context: "default", Method: "GET"}, Now: now}}
			}
			if tt.sort != "" {
				var err error
				if q.Sort, err = rule.CompileSort(tt.sort, rule.Scope{Schema: f.store.Catalog(), Collection: c}); err != nil {
					f.Fatal(err)
				}
			}
			page := f.page(q)
			if got := fmt.Sprint(ids(page.Records)); got != tt.want || page.Total != tt.total {
				f.Errorf("%q sorted by %q: %s of %d, want %s of %d", tt.where, tt.sort, got, page.Total, tt.want, tt.total)
			}
		}
	}},
	{"a walk over a whole collection", func(f *fixture) {
		c := f.save(notes())
		var want, got []string
		f.write(func(tx store.Tx) error {
			for i := range 250 {
				id := fmt.Sprintf("%03d", (i*7)%250)
				want = append(want, id)
				if err := tx.Insert(f.ctx, note(c, id, "")); err != nil {
					return err
				}
			}
			return nil
		})
		for after := ""; ; after = got[len(got)-1] {
			step := f.find(store.Query{Collection: c, After: after, Limit: 64, IDsOnly: true})
			got = append(got, step...)
			if len(step) < 64 {
				break
			}
		}
		if !slices.Equal(got, want) {
			f.Errorf("the walk saw %v", got)
		}
	}},
	{"the total follows every kind of write", func(f *fixture) {
		c := f.save(notes())
		total := func() int { return f.page(store.Query{Collection: c, Total: true, Limit: 1}).Total }
		want := 0
		var again error // of the second a, as the last run was told
		for i, step := range []struct {
			delta int
			fn    func(tx store.Tx) error
		}{
			{2, func(tx store.Tx) error {
				if err := tx.Insert(f.ctx, note(c, "a", "")); err != nil {
					return err
				}
				return tx.Insert(f.ctx, note(c, "b", ""))
			}},
			{0, func(tx store.Tx) error {
				again = tx.Insert(f.ctx, note(c, "a", ""))
				return nil
			}},
			{-1, func(tx store.Tx) error { return tx.Delete(f.ctx, note(c, "a", "")) }},
			{-1, func(tx store.Tx) error { return tx.Truncate(f.ctx, c) }},
			{0, func(tx store.Tx) error { return tx.Truncate(f.ctx, c) }},
			{1, func(tx store.Tx) error { return tx.Insert(f.ctx, note(c, "c", "")) }},
			{0, func(tx store.Tx) error { return tx.Update(f.ctx, note(c, "c", ""), note(c, "c", "x")) }},
			{-1, func(tx store.Tx) error { return tx.DeleteCollection(f.ctx, c) }},
			{0, func(tx store.Tx) error { return tx.SaveCollection(f.ctx, nil, notes()) }},
			{1, func(tx store.Tx) error { return tx.Insert(f.ctx, note(tx.Catalog().Collection("notes"), "d", "")) }},
		} {
			f.write(step.fn)
			want += step.delta
			if f.store.Catalog().Collection("notes") == nil {
				continue
			}
			c = f.collection("notes")
			if got := total(); got != want {
				f.Errorf("after step %d: total %d, want %d", i, got, want)
			}
		}
		if again == nil {
			f.Error("a second a")
		}
	}},
}
