package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

var schemaTests = []test{
	{"rename, add and drop fields, matched by id", func(f *fixture) {
		c := f.save(base("things", text("a"), text("b"), number("n"), text("gone")))
		r := pando.NewRecord(c)
		for name, v := range map[string]any{"id": "x", "a": "A", "b": "B", "n": 1.0, "gone": "G"} {
			r.Set(name, v)
		}
		f.insert(r)
		c = f.mustChange(c, func(c *pando.Collection) {
			c.Field("a").Name, c.Field("b").Name = "b", "a" // they trade names
			c.Field("n").Name = "N"                         // the case only
			c.Fields = slices.DeleteFunc(c.Fields, func(f *pando.Field) bool { return f.Name == "gone" })
			c.Fields = append([]*pando.Field{many("list"), field("json", &pando.JSONOptions{})}, c.Fields...)
		})
		f.expect(c, "x", map[string]any{"a": "B", "b": "A", "N": 1.0, "list": []string(nil), "json": json.RawMessage("null")})
		// A new field under the name of a dropped one has none of its values.
		c = f.mustChange(c, func(c *pando.Collection) {
			i := c.FieldIndex("a")
			c.Fields[i] = text("a")
			c.Fields[i].ID = "another"
		})
		f.expect(c, "x", map[string]any{"a": "", "b": "A"})
		// A field may take the name of one that goes in the same change.
		c = f.mustChange(c, func(c *pando.Collection) {
			c.Fields = slices.DeleteFunc(c.Fields, func(f *pando.Field) bool { return f.Name == "a" })
			c.Field("b").Name = "a"
		})
		f.expect(c, "x", map[string]any{"a": "A"})
		f.store = f.backend.Reopen(f.T, f.store)
		f.expect(f.collection("things"), "x", map[string]any{"a": "A", "N": 1.0})
	}},
	{"single to multiple and back", func(f *fixture) {
		c := f.save(base("things", one("s"), field("r", &pando.RelationOptions{MaxSelect: 1}), field("f", &pando.FileOptions{MaxSelect: 3})))
		rec := func(id, s, r string, files ...string) *pando.Record {
			rec := pando.NewRecord(c)
			for name, v := range map[string]any{"id": id, "s": s, "r": r, "f": files} {
				rec.Set(name, v)
			}
			return rec
		}
		f.insert(rec("none", "", ""), rec("some", "a \"b\"", "r1", "one.txt"), rec("more", "[x", "r2", "one.txt", "two \"2\".txt"))
		c = f.mustChange(c, func(c *pando.Collection) {
			c.Field("s").Options = &pando.SelectOptions{MaxSelect: 2}
			c.Field("r").Options = &pando.RelationOptions{MaxSelect: 2}
			c.Field("f").Options = &pando.FileOptions{MaxSelect: 1}
			c.Field("r").Name = "rel"
		})
		f.expect(c, "none", map[string]any{"s": []string(nil), "rel": []string(nil), "f": ""})
		f.expect(c, "some", map[string]any{"s": []string{"a \"b\""}, "rel": []string{"r1"}, "f": "one.txt"})
		f.expect(c, "more", map[string]any{"s": []string{"[x"}, "rel": []string{"r2"}, "f": "two \"2\".txt"})
		c = f.mustChange(c, func(c *pando.Collection) {
			c.Field("s").Options = &pando.SelectOptions{MaxSelect: 1}
			c.Field("f").Options = &pando.FileOptions{MaxSelect: 3}
		})
		f.expect(c, "none", map[string]any{"s": "", "f": []string(nil)})
		f.expect(c, "more", map[string]any{"s": "[x", "f": []string{"two \"2\".txt"}})
		if got := fmt.Sprint(f.find(store.Query{Collection: c})); got != "[none some more]" {
			f.Errorf("order is %s", got)
		}
	}},
	{"a field of another type is another field", func(f *fixture) {
		c := f.save(base("things", text("x")))
		r := pando.NewRecord(c)
		r.Set("id", "a")
		r.Set("x", "12")
		f.insert(r)
		c = f.mustChange(c, func(c *pando.Collection) {
			x := c.Field("x")
			x.Type, x.Options = pando.FieldNumber, &pando.NumberOptions{}
		})
		f.expect(c, "a", map[string]any{"x": 0.0})
	}},
	{"rename a collection", func(f *fixture) {
		c := notes()
		c.Indexes = []string{"CREATE UNIQUE INDEX idx_title ON `notes` (`title`)"}
		c = f.save(c)
		f.insert(note(c, "a", "1"))
		for _, name := range []string{"Notes", "papers"} {
			c = f.mustChange(c, func(c *pando.Collection) { c.Name = name })
			if got := f.get(c, "a"); got == nil || got.String("title") != "1" {
				f.Errorf("%s: the record is %v", name, got)
			}
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error { return tx.Insert(f.ctx, note(c, "b", "1")) })
			if u, ok := errors.AsType[*store.UniqueError](err); !ok || u.Index != "idx_title" {
				f.Errorf("%s: the index is gone: %v", name, err)
			}
			if c.Indexes[0] != "CREATE UNIQUE INDEX idx_title ON `notes` (`title`)" {
				f.Errorf("the index's text became %s", c.Indexes[0])
			}
		}
		if f.store.Catalog().Collection("notes") != nil {
			f.Error("the old name is there")
		}
		again := base("notes") // and can be used
		again.ID = "another"
		f.save(again)
	}},
	{"a name that is taken", func(f *fixture) {
		f.save(notes())
		c := base("NOTES")
		if _, err := f.store.Write(f.ctx, func(tx store.Tx) error { return tx.SaveCollection(f.ctx, nil, c) }); err == nil {
			f.Error("two collections of one name")
		}
	}},
	{"indexes are rebuilt as the collection says", func(f *fixture) {
		c := f.save(notes())
		f.insert(note(c, "a", "same"), note(c, "b", "same"))
		unique := "CREATE UNIQUE INDEX idx ON anything (title)"
		if _, err := f.change(c, func(c *pando.Collection) { c.Indexes = []string{unique} }); pando.KindOf(err) != pando.KindInvalid {
			f.Errorf("a unique index over equal values: %v", err)
		}
		f.write(func(tx store.Tx) error { return tx.Delete(f.ctx, note(c, "b", "same")) })
		c = f.mustChange(c, func(c *pando.Collection) { c.Indexes = []string{unique} })
		dup := func(c *pando.Collection) error {
			r := note(c, "b", "same")
			r.Set("name", "same")
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error { return tx.Insert(f.ctx, r) })
			return err
		}
		if _, ok := errors.AsType[*store.UniqueError](dup(c)); !ok {
			f.Error("the index is not there")
		}
		c = f.mustChange(c, func(c *pando.Collection) {
			c.Field("title").Name = "name"
			c.Indexes = []string{"CREATE UNIQUE INDEX idx ON anything (name)"}
		})
		if u, ok := errors.AsType[*store.UniqueError](dup(c)); !ok || !slices.Equal(u.Fields, []string{"name"}) {
			f.Errorf("after renaming the column: %v", dup(c))
		}
		c = f.mustChange(c, func(c *pando.Collection) { c.Indexes = nil })
		if err := dup(c); err != nil {
			f.Errorf("the index is still there: %v", err)
		}
	}},
	{"an index that cannot be made", func(f *fixture) {
		c := f.save(notes())
		other := base("other", text("title"))
		other.Indexes = []string{"CREATE INDEX taken ON other (title)"}
		f.save(other)
		good := "CREATE INDEX good ON notes (n)"
		for _, bad := range []string{
			"CREATE INDEX x ON notes (nothing)", "CREATE INDEX x ON notes (title", "DROP TABLE notes", "",
			"CREATE INDEX x ON notes (title); DROP TABLE notes", "CREATE INDEX taken ON notes (title)",
			"CREATE INDEX x ON notes (nofunction(title))", "CREATE INDEX x ON notes (title) WHERE nothing = 1",
		} {
			_, err := f.change(c, func(c *pando.Collection) { c.Indexes = []string{good, bad} })
			x, ok := errors.AsType[*store.IndexError](err)
			if !ok || x.Index != 1 || pando.KindOf(err) != pando.KindInvalid {
				f.Errorf("%s: %v", bad, err)
			}
			fresh := base("fresh", text("title"), number("n"))
			fresh.Indexes = []string{bad}
			_, err = f.store.Write(f.ctx, func(tx store.Tx) error { return tx.SaveCollection(f.ctx, nil, fresh) })
			if x, ok := errors.AsType[*store.IndexError](err); !ok && !strings.Contains(bad, "title") || ok && x.Index != 0 {
				f.Errorf("%s on a new collection: %v", bad, err)
			}
			if f.store.Catalog().Collection("fresh") != nil {
				f.write(func(tx store.Tx) error { return tx.DeleteCollection(f.ctx, tx.Catalog().Collection("fresh")) })
			}
		}
		if got := f.collection("notes").Indexes; len(got) != 0 {
			f.Errorf("indexes are %v", got)
		}
	}},
	{"a change that fails leaves nothing, and the transaction usable", func(f *fixture) {
		c := f.save(notes())
		f.save(view("lookout", "SELECT id, title FROM notes", text("title")))
		f.insert(note(c, "a", "1"))
		version := f.store.Catalog().Version
		f.write(func(tx store.Tx) error {
			fresh := base("fresh", text("title"))
			fresh.Indexes = []string{"CREATE INDEX one ON fresh (title)", "CREATE INDEX two ON fresh (nothing)"}
			if tx.SaveCollection(f.ctx, nil, fresh) == nil {
				f.Error("a bad index was made")
			}
			next := c.Clone()
			next.Name, next.Field("n").Name = "papers", "number"
			next.Field("tags").Options = &pando.SelectOptions{MaxSelect: 1}
			next.Indexes = []string{"CREATE INDEX two ON x (nothing)"}
			if tx.SaveCollection(f.ctx, c, next) == nil {
				f.Error("a bad index was made")
			}
			if tx.DeleteCollection(f.ctx, c) == nil {
				f.Error("a collection was deleted from under a view")
			}
			if tx.Catalog().Version != version {
				f.Error("the transaction has another catalog")
			}
			return tx.Insert(f.ctx, note(c, "b", "2"))
		})
		if f.store.Catalog().Version != version {
			f.Error("the catalog has changed")
		}
		f.expect(f.collection("lookout"), "a", map[string]any{"title": "1"})
		f.expect(c, "b", map[string]any{"title": "2", "n": 0.0, "tags": []string(nil)})
		fresh := base("fresh", text("title"))
		fresh.Indexes = []string{"CREATE INDEX one ON fresh (title)"}
		f.save(fresh) // nothing of it is in the way
	}},
	{"DeleteCollection drops everything in it", func(f *fixture) {
		c := notes()
		c.Indexes = []string{"CREATE INDEX idx ON notes (title)"}
		c = f.save(c)
		f.insert(note(c, "a", ""))
		f.write(func(tx store.Tx) error { return tx.DeleteCollection(f.ctx, c) })
		again := notes()
		again.Indexes = []string{"CREATE INDEX idx ON notes (title)"}
		c = f.save(again)
		if got := f.page(store.Query{Collection: c, Total: true}); len(got.Records) != 0 || got.Total != 0 {
			f.Errorf("%d records, total %d", len(got.Records), got.Total)
		}
	}},
	{"names are no SQL", func(f *fixture) {
		c := f.save(base("select", text("from"), text("order"), many("group")))
		r := pando.NewRecord(c)
		r.Set("id", "a")
		r.Set("from", "x")
		r.Set("group", []string{"y"})
		f.insert(r)
		q := store.Query{Collection: c, Match: []store.Match{{Field: "from", Value: "x"}, {Field: "group", Value: "y"}}}
		if got := fmt.Sprint(f.find(q)); got != "[a]" {
			f.Errorf("found %s", got)
		}
		f.mustChange(c, func(c *pando.Collection) { c.Field("order").Name = "where" })
	}},
	{"many schema changes in one transaction", func(f *fixture) {
		f.write(func(tx store.Tx) error {
			if err := tx.SaveCollection(f.ctx, nil, notes()); err != nil {
				return err
			}
			c := tx.Catalog().Collection("notes")
			if err := tx.Insert(f.ctx, note(c, "a", "1")); err != nil {
				return err
			}
			next := c.Clone()
			next.Field("title").Name = "name"
			if err := tx.SaveCollection(f.ctx, c, next); err != nil {
				return err
			}
			r, err := tx.Record(f.ctx, tx.Catalog().Collection("notes"), "a")
			if err == nil && r.String("name") != "1" {
				f.Errorf("name is %q", r.String("name"))
			}
			return errors.Join(err, tx.SaveCollection(f.ctx, nil, view("v", "SELECT id, name FROM notes", text("name"))))
		})
		f.expect(f.collection("v"), "a", map[string]any{"name": "1"})
	}},
}

// expect holds some values of a record against what they should be.
func (f *fixture) expect(c *pando.Collection, id string, want map[string]any) {
	f.Helper()
	r := f.get(c, id)
	if r == nil {
		f.Errorf("%s is not there", id)
		return
	}
	got := map[string]any{}
	for name := range want {
		got[name] = r.Get(name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", id, diff)
	}
}
