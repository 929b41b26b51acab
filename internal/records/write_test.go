package records_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/store"
)

func things(t testing.TB, w *world) {
	t.Helper()
	w.collection(t, "tags", nil, `{"id":"name9","name":"name","type":"text"}`)
	w.collection(t, "things", nil,
		`{"id":"f1","name":"title","type":"text","min":2,"max":9}`,
		`{"id":"f2","name":"num","type":"number"}`,
		`{"id":"f3","name":"sels","type":"select","values":["a","b","c"],"maxSelect":2}`,
		`{"id":"f4","name":"rel","type":"relation","collectionId":"pbc_tags","maxSelect":1}`,
		`{"id":"f5","name":"rels","type":"relation","collectionId":"pbc_tags","maxSelect":3}`,
		`{"id":"f6","name":"slug","type":"text","autogeneratePattern":"s[0-9]{3}"}`,
		`{"id":"f7","name":"secret","type":"text","hidden":true}`,
		`{"id":"f8","name":"pin","type":"password","min":3,"cost":4}`,
		`{"id":"f9","name":"updated","type":"autodate","onCreate":true,"onUpdate":true}`,
		`{"id":"f10","name":"made","type":"autodate","onCreate":true}`,
	)
	for _, name := range []string{"red", "blue", "green"} {
		w.env.Insert(t, "tags", map[string]any{"id": id(name), "name": name})
	}
}

// TestModifiers walks one record through every modifier.
func TestModifiers(t *testing.T) {
	w := newWorld(t)
	things(t, w)
	got := w.run(t, call{
		do: "create", collection: "things", query: with("fields", "num,sels,rels,slug"),
		body: `{"id":"thing0000000000","num+":5,"sels+":"a","+sels":"b","rels+":["red000000000000"],"slug:autogenerate":"pre"}`,
	})
	if !strings.HasPrefix(got, `200 {"num":5,"rels":["red000000000000"],"sels":["b","a"],"slug":"pres`) {
		t.Errorf("create: %s", got)
	}
	for _, s := range []struct{ body, fields, want string }{
		{`{"num+":2}`, "num", `200 {"num":7}`},
		{`{"num-":"10"}`, "num", `200 {"num":-3}`},
		{`{"num+":1,"num":3}`, "num", `200 {"num":4}`},
		{`{"num":null}`, "num", `200 {"num":0}`},
		{`{"sels+":"c"}`, "sels", `400 Failed to update record. {"sels":"validation_too_many_values"}`},
		{`{"sels-":"a"}`, "sels", `200 {"sels":["b"]}`},
		{`{"+sels":"c"}`, "sels", `200 {"sels":["c","b"]}`},
		{`{"sels":[]}`, "sels", `200 {"sels":[]}`},
		{`{"rels+":["blue00000000000","nope"]}`, "rels", `400 Failed to update record. {"rels":"validation_missing_rel_records"}`},
		{`{"+rels":"blue00000000000"}`, "rels", `200 {"rels":["blue00000000000","red000000000000"]}`},
		{`{"rels-":["red000000000000","nope"]}`, "rels", `200 {"rels":["blue00000000000"]}`},
		{`{"rel+":"red000000000000"}`, "rel", `200 {"rel":"red000000000000"}`},
		{`{"rel":""}`, "rel", `200 {"rel":""}`},
		{`{"title":"x"}`, "title", `400 Failed to update record. {"title":"validation_min_text_constraint"}`},
		{`{"title+":"xyz"}`, "title", `200 {"title":""}`},
		{`{"id":"other0000000000","title":"x"}`, "id",
			`400 Failed to update record. {"id":"validation_pk_change","title":"validation_min_text_constraint"}`},
		{`{"id":"thing0000000000"}`, "id", `200 {"id":"thing0000000000"}`},
	} {
		got := w.run(t, call{do: "update", collection: "things", id: "thing0000000000", body: s.body, query: with("fields", s.fields)})
		if got != s.want {
			t.Errorf("%s: got %s, want %s", s.body, got, s.want)
		}
	}
}

// TestServerValues: what clients must not set, or not see.
func TestServerValues(t *testing.T) {
	w := newWorld(t)
	things(t, w)
	base := `"collectionId":"pbc_things","collectionName":"things","id":"thing0000000000","made":"2026-01-02 03:04:05.000Z",` +
		`"num":0,"pin":"","rel":"","rels":[],`
	w.expect(t, []step{
		{call{do: "create", collection: "things", body: `{"id":"thing0000000000","secret":"x","made":"2001-01-01","pin":"1234","slug":"s1","nope":1}`},
			`200 {` + base + `"sels":[],"slug":"s1","title":"","updated":"2026-01-02 03:04:05.000Z"}`},
		{call{as: "root", do: "view", collection: "things", id: "thing0000000000"},
			`200 {` + base + `"secret":"","sels":[],"slug":"s1","title":"","updated":"2026-01-02 03:04:05.000Z"}`},
	})
	w.clock = w.clock.AddDate(0, 0, 1)
	w.expect(t, []step{
		{call{as: "root", do: "update", collection: "things", id: "thing0000000000", body: `{"secret":"y","updated":""}`},
			`200 {` + base + `"secret":"y","sels":[],"slug":"s1","title":"","updated":"2026-01-03 03:04:05.000Z"}`},
		{call{do: "update", collection: "things", id: "thing0000000000", body: `{"secret":""}`, query: with("fields", "secret")}, `200 {}`},
		{call{as: "root", do: "view", collection: "things", id: "thing0000000000", query: with("fields", "secret")}, `200 {"secret":"y"}`},
		{call{do: "create", collection: "things", body: `{"id":"thing0000000000"}`},
			`400 Failed to create record. {"id":"validation_not_unique"}`},
		{call{do: "create", collection: "things", body: `{"id":"THING0000000000","pin":"1"}`},
			`400 Failed to create record. {"id":"validation_invalid_format","pin":"validation_min_text_constraint"}`},
		{call{do: "create", collection: "things", query: with("fields", "slug")}, `/200 {"slug":"s\d{3}"}/`},
	})
	var pin string
	err := w.env.Store.Read(t.Context(), func(r store.Reader) error {
		rec, err := r.Record(t.Context(), r.Catalog().Collection("things"), "thing0000000000")
		pin = rec.String("pin")
		return err
	})
	if err != nil || !strings.HasPrefix(pin, "$2a$04$") {
		t.Errorf("the stored pin is %q, %v; want a bcrypt hash", pin, err)
	}
}

func TestUniqueIndexes(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "pairs", map[string]any{"indexes": []string{"CREATE UNIQUE INDEX idx_pair ON pairs (a, b)"}},
		`{"id":"f1","name":"a","type":"text"}`, `{"id":"f2","name":"b","type":"text"}`)
	w.expect(t, []step{
		{call{do: "create", collection: "pairs", body: `{"id":"pair00000000001","a":"x","b":"y"}`}, "/200 .*/"},
		{call{do: "create", collection: "pairs", body: `{"id":"pair00000000002","a":"x","b":"z"}`}, "/200 .*/"},
		{call{do: "create", collection: "pairs", body: `{"a":"x","b":"y"}`},
			`400 Failed to create record. {"a":"validation_not_unique","b":"validation_not_unique"}`},
		{call{do: "update", collection: "pairs", id: "pair00000000002", body: `{"b":"y"}`},
			`400 Failed to update record. {"a":"validation_not_unique","b":"validation_not_unique"}`},
	})
}

// TestIDs: a pattern of one's own may not lead to ids that cannot name files,
// nor to two that differ in case alone.
func TestIDs(t *testing.T) {
	w := newWorld(t)
	w.env.Save(t, `{"id":"pbc_own","name":"own","type":"base","createRule":"","fields":[{"id":"text1","name":"id","type":"text",`+
		`"system":true,"required":true,"primaryKey":true,"min":1,"max":100,"pattern":".+","autogeneratePattern":"[a-z]{5}"}]}`)
	w.expect(t, []step{
		{call{do: "create", collection: "own"}, `/200 .*"id":"[a-z]{5}"}/`},
		{call{do: "create", collection: "own", body: `{"id":"abc"}`}, `/200 .*/`},
		{call{do: "create", collection: "own", body: `{"id":"ABC"}`}, `400 Failed to create record. {"id":"validation_pk_invalid"}`},
		{call{do: "create", collection: "own", body: `{"id":"a/b"}`}, `400 Failed to create record. {"id":"validation_forbidden_pk_character"}`},
		{call{do: "create", collection: "own", body: `{"id":".."}`}, `400 Failed to create record. {"id":"validation_forbidden_pk_character"}`},
		{call{do: "create", collection: "own", body: `{"id":"nul"}`}, `400 Failed to create record. {"id":"validation_reserved_pk"}`},
		{call{do: "create", collection: "own", body: `{"id":"com10"}`}, `/200 .*/`},
	})
}

// TestConcurrentUpdates: modifiers count from what is stored when their turn
// comes, and readers beside them see whole records only.
func TestConcurrentUpdates(t *testing.T) {
	w := newWorld(t)
	things(t, w)
	w.ok(t, call{do: "create", collection: "things", body: `{"id":"thing0000000000","title":"xx"}`})
	const people, each = 8, 25
	var wg sync.WaitGroup
	for n := range people {
		wg.Go(func() {
			for range each {
				c := call{do: "update", collection: "things", id: "thing0000000000", body: `{"num+":1}`, query: with("fields", "num")}
				if got := w.run(t, c); !strings.HasPrefix(got, `200 {"num":`) {
					t.Errorf("update: %s", got)
				}
				c = call{do: []string{"view", "list"}[n%2], collection: "things", id: "thing0000000000", query: with("fields", "title")}
				if got := w.run(t, c); !strings.Contains(got, `{"title":"xx"}`) {
					t.Errorf("read: %s", got)
				}
			}
		})
	}
	wg.Wait()
	got := w.ok(t, call{do: "view", collection: "things", id: "thing0000000000"})["num"]
	if got != float64(people*each) {
		t.Errorf("counted %v, want %d", got, people*each)
	}
}

// TestRulesChange: a rule that was changed is in force for the next request.
func TestRulesChange(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "notes", nil)
	w.env.Insert(t, "notes", map[string]any{"id": id("one")})
	view := call{do: "view", collection: "notes", id: id("one"), query: with("fields", "id")}
	w.expect(t, []step{{view, `200 {"id":"one000000000000"}`}})
	w.env.Change(t, "notes", func(c *pando.Collection) { c.ViewRule = nil })
	w.expect(t, []step{{view, superusersText}})
	w.env.Change(t, "notes", func(c *pando.Collection) { c.ViewRule = new(`@request.auth.id != ""`) })
	mine := view
	mine.as = "ann"
	w.expect(t, []step{{view, notFoundText}, {mine, `200 {"id":"one000000000000"}`}})
}

func TestHooks(t *testing.T) {
	hooks := new(records.Hooks)
	w := newWorld(t, func(c *records.Config) { c.Hooks = hooks })
	things(t, w)
	var log []string
	add := func(name string, change func(e *records.Event)) func(context.Context, *records.Event, func(context.Context) error) error {
		return func(ctx context.Context, e *records.Event, next func(context.Context) error) error {
			log = append(log, fmt.Sprintf("%s %s before", name, e.Record.String("title")))
			if e.Record.String("title") == "stop" {
				return pando.Invalid("Stopped by %s.", name)
			}
			change(e)
			err := next(ctx)
			log = append(log, fmt.Sprintf("%s %s after %v", name, e.Record.String("title"), err != nil))
			return err
		}
	}
	hooks.Create.Add(add("create", func(e *records.Event) { e.Record.Set("title", e.Record.String("title")+"!") }))
	hooks.Update.Add(add("update", func(e *records.Event) { e.Record.Set("num", e.Old.Get("num").(float64)+100) }))
	hooks.Delete.Add(add("delete", func(*records.Event) {}))
	w.expect(t, []step{
		{call{do: "create", collection: "things", body: `{"title":"x"}`}, `400 Failed to create record. {"title":"validation_min_text_constraint"}`},
		{call{do: "create", collection: "things", body: `{"id":"thing0000000000","title":"ab"}`, query: with("fields", "title")}, `200 {"title":"ab!"}`},
		{call{do: "create", collection: "things", body: `{"title":"123456789"}`}, `400 Failed to create record. {"title":"validation_max_text_constraint"}`},
		{call{do: "create", collection: "things", body: `{"title":"stop"}`}, "400 Stopped by create."},
		{call{do: "update", collection: "things", id: "thing0000000000", body: `{"num":1,"sels+":"a"}`, query: with("fields", "num,sels")}, `200 {"num":100,"sels":["a"]}`},
		{call{do: "delete", collection: "things", id: "thing0000000000"}, "204"},
	})
	want := []string{ // the first request does not get to the handlers
		"create ab before", "create ab! after false",
		"create 123456789 before", "create 123456789! after true",
		"create stop before",
		"update ab! before", "update ab! after false",
		"delete ab! before", "delete ab! after false",
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestBeforeDelete: whoever asks is told of each record while it is there, and what it
// finds out goes with the deletion of that record.
func TestBeforeDelete(t *testing.T) {
	var told, went []string
	w := newWorld(t, func(c *records.Config) {
		c.BeforeDelete = func(ctx context.Context, tx store.Tx, r *pando.Record) (context.Context, error) {
			if r.ID() == id("kept") {
				return ctx, errors.New("not this one")
			}
			if _, err := tx.Record(ctx, r.Collection, r.ID()); err != nil {
				return ctx, err
			}
			told = append(told, r.Collection.Name+"/"+r.ID())
			return changes.Prepare(ctx, r.ID()), nil
		}
	})
	defer w.env.Stream.Subscribe(func(b changes.Batch) {
		for _, ch := range b.Changes {
			if ch.Action == changes.Delete {
				went = append(went, fmt.Sprint(ch.Record.ID(), " with ", ch.Prepared))
			}
		}
	})()
	w.collection(t, "posts", nil)
	w.collection(t, "comments", nil, `{"id":"f1","name":"post","type":"relation","collectionId":"pbc_posts","maxSelect":1,"cascadeDelete":true}`)
	for _, name := range []string{"gone", "kept"} {
		w.env.Insert(t, "posts", map[string]any{"id": id(name)})
	}
	w.env.Insert(t, "comments", map[string]any{"id": id("c"), "post": id("gone")})
	w.expect(t, []step{
		{call{do: "delete", collection: "posts", id: id("gone")}, "204"},
		{call{do: "delete", collection: "posts", id: id("kept")}, "500 not this one"},
		{call{do: "list", collection: "posts", query: with("fields", "id")},
			`200 {"items":[{"id":"kept00000000000"}],"page":1,"perPage":30,"totalItems":1,"totalPages":1}`},
	})
	if diff := cmp.Diff([]string{"posts/" + id("gone"), "comments/" + id("c")}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	w.env.Flush(t)
	if diff := cmp.Diff([]string{id("c") + " with " + id("c"), id("gone") + " with " + id("gone")}, went); diff != "" {
		t.Errorf("what went with it (-want +got):\n%s", diff)
	}
}

// TestWrittenIsAnswered: a record that is committed is answered, whatever cannot be read
// after that. Who was told of a failure would write it again.
func TestWrittenIsAnswered(t *testing.T) {
	db := new(between)
	w := newWorld(t, db.install)
	w.collection(t, "notes", nil, `{"id":"f1","name":"title","type":"text"}`,
		`{"id":"f2","name":"owner","type":"relation","collectionId":"pbc_users","maxSelect":1}`)
	w.env.Insert(t, "notes", map[string]any{"id": id("note"), "title": "old"})
	away := func() error { return &pando.Error{Kind: pando.KindUnavailable, Message: "No primary."} }
	db.write = func(run func() (position.N, error), _ *func(store.Tx) error) (position.N, error) {
		n, err := run()
		if err == nil {
			db.read = away
		}
		return n, err
	}
	for _, c := range []struct {
		call
		want string
	}{
		{call{do: "create", collection: "notes", body: `{"title":"new","owner":"` + id("ann") + `"}`, query: with("expand", "owner", "fields", "title,owner,expand")},
			`200 {"owner":"` + id("ann") + `","title":"new"}`},
		{call{do: "update", collection: "notes", id: id("note"), body: `{"title":"newer"}`, query: with("expand", "owner", "fields", "title")},
			`200 {"title":"newer"}`},
		{call{as: "bob", do: "update", collection: "users", id: id("ann"), body: `{"name":"Ann"}`, query: with("fields", "email,name")},
			`200 {"name":"Ann"}`},
		{call{as: "ann", do: "update", collection: "users", id: id("ann"), body: `{"name":"Anna"}`, query: with("fields", "email,name")},
			`200 {"email":"ann@example.com","name":"Anna"}`},
	} {
		db.read = nil
		if got := w.run(t, c.call); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.call, got, c.want)
		}
		if db.read == nil {
			t.Errorf("%+v: nothing was written", c.call)
		}
	}
}
