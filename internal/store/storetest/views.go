package storetest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// filled is notes with three records.
func filled(f *fixture) *pando.Collection {
	c := f.save(notes())
	for i, id := range []string{"a", "b", "c"} {
		r := note(c, id, "title "+id)
		r.Set("n", float64(i))
		r.Set("tags", []string{"t", id})
		f.insert(r)
	}
	return c
}

var viewTests = []test{
	{"a view shows what its query finds", func(f *fixture) {
		c := filled(f)
		v := f.save(view("v", "SELECT id, title AS name, n * 2 AS dbl, tags, n > 1 AS big FROM notes WHERE n > 0",
			text("name"), number("dbl"), many("tags"), field("big", &pando.BoolOptions{})))
		f.expect(v, "c", map[string]any{"name": "title c", "dbl": 4.0, "tags": []string{"t", "c"}, "big": true})
		if f.get(v, "a") != nil {
			f.Error("it shows what its query leaves out")
		}
		f.write(func(tx store.Tx) error { return tx.Delete(f.ctx, note(c, "c", "")) })
		page := f.page(store.Query{Collection: v, Total: true})
		if got := fmt.Sprint(ids(page.Records), page.Total); got != "[b] 1" {
			f.Errorf("records are %s", got)
		}
		f.read(func(r store.Reader) error {
			recs, err := r.Records(f.ctx, v, []string{"c", "b", "a"})
			if got := fmt.Sprint(ids(recs)); got != "[b]" {
				f.Errorf("Records are %s", got)
			}
			return err
		})
	}},
	{"values that do not fit their field", func(f *fixture) {
		f.save(notes())
		v := f.save(view("v", `SELECT 'x' AS id, NULL AS t, 12 AS t2, 'abc' AS n, '2.5' AS n2, 'yes' AS b, 'plain' AS l, NULL AS l2,
				'a "text"' AS j, 1.5 AS j2, '[1]' AS j3, NULL AS j4, 'nonsense' AS g, 7 AS j5`,
			text("t"), text("t2"), number("n"), number("n2"), field("b", &pando.BoolOptions{}), many("l"), many("l2"),
			field("j", &pando.JSONOptions{}), field("j2", &pando.JSONOptions{}), field("j3", &pando.JSONOptions{}),
			field("j4", &pando.JSONOptions{}), field("g", &pando.GeoPointOptions{}), field("j5", &pando.JSONOptions{})))
		f.expect(v, "x", map[string]any{
			"t": "", "t2": "12", "n": 0.0, "n2": 2.5, "b": false, "l": []string{"plain"}, "l2": []string(nil),
			"j": json.RawMessage(`"a \"text\""`), "j2": json.RawMessage(`1.5`), "j3": json.RawMessage(`[1]`),
			"j4": json.RawMessage(`null`), "g": pando.GeoPoint{}, "j5": json.RawMessage(`7`),
		})
	}},
	{"DescribeView", func(f *fixture) {
		filled(f)
		f.save(view("v", "SELECT id, title AS name FROM notes", text("name")))
		for _, tt := range []struct {
			query string
			want  string
		}{
			{"SELECT id, title AS name, count(n) AS c FROM notes GROUP BY id", "id=notes.id name=notes.title c="},
			{"SELECT x.id, y.name FROM notes x JOIN v y ON x.id = y.id;", "id=notes.id name=notes.title"},
			{"WITH q AS (SELECT id, n FROM notes) SELECT q.id, q.n + 1 AS n, (SELECT 1) AS one FROM q -- done", "id=notes.id n= one="},
			{"\n  select id from (select id from notes) as x ", "id=notes.id"},
			{"SELECT cast(id AS text) id FROM notes", "id="},
		} {
			f.read(func(r store.Reader) error {
				columns, err := r.DescribeView(f.ctx, f.backend.sql(tt.query))
				if err != nil {
					f.Errorf("%s: %v", tt.query, err)
					return nil
				}
				var got []string
				for _, c := range columns {
					got = append(got, strings.TrimSuffix(c.Name+"="+c.Table+"."+c.Column, "."))
				}
				if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
					f.Errorf("%s (-want +got):\n%s", tt.query, diff)
				}
				return nil
			})
		}
	}},
	{"a query that is not one SELECT is refused", func(f *fixture) {
		c := filled(f)
		for _, query := range []string{
			"", "-- nothing", "SELECT", "SELECT id FROM nothing", "SELECT nothing FROM notes", "DELETE FROM notes",
			"SELECT id FROM notes; DELETE FROM notes", "SELECT id FROM notes) ; DELETE FROM notes; --",
			"SELECT id FROM notes) UNION SELECT id FROM (SELECT id FROM notes", "PRAGMA user_version", "EXPLAIN SELECT 1 AS id",
			"ATTACH ':memory:' AS x", "INSERT INTO notes (id) VALUES ('x') RETURNING id", "UPDATE notes SET n = 1",
			"WITH x AS (SELECT 1) DELETE FROM notes", "VACUUM", "BEGIN", "CREATE TABLE x (id TEXT)", "DROP TABLE notes",
			"SELECT id FROM notes /* open", "'", "SELECT id FROM (DELETE FROM notes RETURNING id)",
		} {
			f.read(func(r store.Reader) error {
				if _, err := r.DescribeView(f.ctx, query); pando.KindOf(err) != pando.KindInvalid {
					f.Errorf("DescribeView %q: %v", query, err)
				}
				if _, err := r.SampleView(f.ctx, view("v", ""), query, 5); pando.KindOf(err) != pando.KindInvalid {
					f.Errorf("SampleView %q: %v", query, err)
				}
				return nil
			})
			_, err := f.store.Write(f.ctx, func(tx store.Tx) error { return tx.SaveCollection(f.ctx, nil, view("v", query)) })
			if pando.KindOf(err) != pando.KindInvalid {
				f.Errorf("SaveCollection %q: %v", query, err)
			}
		}
		if got := f.page(store.Query{Collection: c, Total: true}); got.Total != 3 || len(got.Records) != 3 {
			f.Errorf("%d records", len(got.Records))
		}
	}},
	{"the database's own words", func(f *fixture) {
		f.read(func(r store.Reader) error {
			_, err := r.DescribeView(f.ctx, "SELECT id FROM missing_table")
			if err == nil || !strings.Contains(err.Error(), "missing_table") {
				f.Errorf("error is %v", err)
			}
			return nil
		})
	}},
	{"SampleView", func(f *fixture) {
		filled(f)
		c := view("v", "", text("name"), number("dbl"))
		f.read(func(r store.Reader) error {
			recs, err := r.SampleView(f.ctx, c, "SELECT n * 2 AS dbl, id, title AS name FROM notes ORDER BY n DESC", 2)
			if err != nil {
				return err
			}
			if got := fmt.Sprint(ids(recs)); got != "[c b]" || recs[0].String("name") != "title c" || recs[0].Get("dbl") != 4.0 {
				f.Errorf("got %s: %v", got, recs[0].Values)
			}
			return nil
		})
	}},
	{"another query", func(f *fixture) {
		filled(f)
		v := f.save(view("v", "SELECT id, title FROM notes", text("title")))
		f.save(view("w", "SELECT id, title FROM v", text("title")))
		v = f.mustChange(v, func(c *pando.Collection) {
			c.ViewQuery = "SELECT id, title, n FROM notes WHERE n = 1"
			c.Fields = append(c.Fields, number("n"))
		})
		if got := fmt.Sprint(f.find(store.Query{Collection: v}), f.find(store.Query{Collection: f.collection("w")})); got != "[b] [b]" {
			f.Errorf("views show %s", got)
		}
		_, err := f.change(v, func(c *pando.Collection) { c.ViewQuery, c.Fields = "SELECT id FROM notes", c.Fields[:1] })
		if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "view w") {
			f.Errorf("a change that breaks another view: %v", err)
		}
		_, err = f.change(v, func(c *pando.Collection) { c.ViewQuery = "SELECT id FROM w" })
		if pando.KindOf(err) != pando.KindInvalid {
			f.Errorf("a view of itself: %v", err)
		}
		f.write(func(tx store.Tx) error { return tx.DeleteCollection(f.ctx, tx.Catalog().Collection("w")) })
		f.mustChange(v, func(c *pando.Collection) { c.Name = "renamed" })
		if got := fmt.Sprint(f.find(store.Query{Collection: f.collection("renamed")})); got != "[b]" {
			f.Errorf("the renamed view shows %s", got)
		}
	}},
	{"a rename below a view", func(f *fixture) {
		c := filled(f)
		f.save(view("v", "SELECT id, title, n AS num FROM notes WHERE title != ''", text("title"), number("num")))
		f.save(view("w", "SELECT notes.id, notes.title || '!' AS shout FROM notes", text("shout")))
		c = f.mustChange(c, func(c *pando.Collection) { c.Name = "papers" })
		f.expect(f.collection("v"), "b", map[string]any{"title": "title b", "num": 1.0})
		f.mustChange(c, func(c *pando.Collection) { c.Field("title").Name = "name" })
		check := func() {
			f.expect(f.collection("v"), "b", map[string]any{"title": "title b", "num": 1.0})
			f.expect(f.collection("w"), "b", map[string]any{"shout": "title b!"})
		}
		check()
		f.store = f.backend.Reopen(f.T, f.store)
		check()
		// The definition is one that works: saving it again changes nothing.
		v := f.collection("v")
		f.read(func(r store.Reader) error {
			if _, err := r.DescribeView(f.ctx, v.ViewQuery); err != nil {
				f.Errorf("its query became %s: %v", v.ViewQuery, err)
			}
			return nil
		})
		f.mustChange(v, func(c *pando.Collection) { c.Name = "v2" })
		f.expect(f.collection("v2"), "b", map[string]any{"title": "title b"})
	}},
	{"what would break a view is refused and names it", func(f *fixture) {
		c := filled(f)
		f.save(view("lookout", "SELECT id, title FROM notes", text("title")))
		_, err := f.change(c, func(c *pando.Collection) { c.Fields = c.Fields[:1] })
		if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "lookout") {
			f.Errorf("dropping a field: %v", err)
		}
		_, err = f.store.Write(f.ctx, func(tx store.Tx) error { return tx.DeleteCollection(f.ctx, c) })
		if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "lookout") {
			f.Errorf("deleting the collection: %v", err)
		}
		f.expect(f.collection("lookout"), "a", map[string]any{"title": "title a"})
		// What the view does not read may go, and may change its form.
		c = f.mustChange(c, func(c *pando.Collection) {
			c.Fields = c.Fields[:4]
			c.Field("tags").Options = &pando.SelectOptions{MaxSelect: 1}
		})
		f.expect(f.collection("lookout"), "a", map[string]any{"title": "title a"})
		f.write(func(tx store.Tx) error {
			if err := tx.DeleteCollection(f.ctx, tx.Catalog().Collection("lookout")); err != nil {
				return err
			}
			return tx.DeleteCollection(f.ctx, tx.Catalog().Collection("notes"))
		})
	}},
	{"a view is not a table", func(f *fixture) {
		c := filled(f)
		v := f.save(view("v", "SELECT id FROM notes"))
		if _, err := f.change(c, func(c *pando.Collection) { c.Type, c.ViewQuery = pando.TypeView, "SELECT 1 AS id" }); pando.KindOf(err) != pando.KindInvalid {
			f.Errorf("a table became a view: %v", err)
		}
		if _, err := f.change(v, func(c *pando.Collection) { c.Type = pando.TypeBase }); pando.KindOf(err) != pando.KindInvalid {
			f.Errorf("a view became a table: %v", err)
		}
	}},
}
