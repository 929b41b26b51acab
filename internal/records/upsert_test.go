package records_test

import (
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/store"
)

// TestUpsertsMeet: whether an upsert creates or updates is as the record is when its
// turn comes, whoever makes or removes it meanwhile.
func TestUpsertsMeet(t *testing.T) {
	const x = "upsert000000000"
	upsert := func(body string) pando.BatchOp {
		return pando.BatchOp{Action: pando.BatchUpsert, Collection: "open", Input: inputOf(t, body), Projection: pando.Projection{Fields: "name,more"}}
	}
	mine := upsert(`{"id":"` + x + `","name":"mine"}`)
	withFile := mine
	withFile.Input.Files = uploads("doc", file("a.txt", "1"))
	one := func(name, more string) string {
		return `[{"status":200,"body":{"more":"` + more + `","name":"` + name + `"}}]`
	}
	refused := func(n, why string) string {
		return `400 Batch transaction failed. {"requests":{"` + n + `":{"code":"batch_request_failed","message":"Batch request failed.","response":"` + why + `"}}}`
	}
	const notThere = `404 The requested resource wasn't found.`
	hooked := new(records.Hooks)
	hooked.Create.Add(nopHandler)
	hooked.Update.Add(nopHandler)

	for name, c := range map[string]struct {
		hooks *records.Hooks
		rules map[string]any
		there bool // before
		ops   []pando.BatchOp
		want  string
		files int
	}{
		"another creates it":           {nil, nil, false, []pando.BatchOp{mine}, one("mine", "theirs"), 0},
		"another creates it, hooks":    {hooked, nil, false, []pando.BatchOp{mine}, one("mine", "theirs"), 0},
		"another creates it, files":    {nil, nil, false, []pando.BatchOp{withFile}, one("mine", "theirs"), 1},
		"another removes it":           {nil, nil, true, []pando.BatchOp{mine}, one("mine", ""), 0},
		"another removes it, hooks":    {hooked, nil, true, []pando.BatchOp{mine}, one("mine", ""), 0},
		"only creating is refused":     {nil, map[string]any{"createRule": `name = "no"`}, false, []pando.BatchOp{mine}, one("mine", "theirs"), 0},
		"updating is refused":          {nil, map[string]any{"updateRule": `name = "no"`}, false, []pando.BatchOp{mine}, refused("0", notThere), 0},
		"another field is refused":     {nil, nil, false, []pando.BatchOp{upsert(`{"id":"` + x + `","name":"-"}`)}, refused("0", `400 Failed to update record. {\"name\":\"validation_min_text_constraint\"}`), 0},
		"a plain create is no upsert":  {nil, nil, false, []pando.BatchOp{{Action: pando.BatchCreate, Collection: "open", Input: mine.Input}}, refused("0", `400 Failed to create record. {\"id\":\"validation_not_unique\"}`), 0},
		"a plain update is no upsert":  {nil, nil, true, []pando.BatchOp{{Action: pando.BatchUpdate, Collection: "open", ID: x, Input: mine.Input}}, refused("0", notThere), 0},
		"the batch itself upserts two": {nil, nil, false, []pando.BatchOp{mine, upsert(`{"id":"` + x + `","more":"2"}`)}, `[{"status":200,"body":{"more":"theirs","name":"mine"}},{"status":200,"body":{"more":"2","name":"mine"}}]`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			db := new(between)
			w := newWorld(t, db.install, func(conf *records.Config) { conf.Hooks = c.hooks })
			w.collection(t, "open", c.rules, `{"id":"f1","name":"name","type":"text","min":2}`, `{"id":"f2","name":"more","type":"text"}`,
				`{"id":"f3","name":"doc","type":"file","maxSelect":1}`)
			insert := func() *pando.Record {
				return w.env.Insert(t, "open", map[string]any{"id": x, "name": "theirs", "more": "theirs"})
			}
			meanwhile := func() { insert() }
			if c.there {
				rec := insert()
				meanwhile = func() { w.env.Delete(t, rec) }
			}
			db.write = func(run func() (position.N, error), _ *func(store.Tx) error) (position.N, error) {
				db.write = nil
				meanwhile()
				return run()
			}
			if got := w.batch(t, "", c.ops...); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if left := w.files(t); len(left) != c.files {
				t.Errorf("files %v, want %d", left, c.files)
			}
		})
	}
}

// TestUpsertBehindItsOwnBatch: what went with another record of the same batch is made anew.
func TestUpsertBehindItsOwnBatch(t *testing.T) {
	w := newWorld(t)
	blog(t, w)
	got := w.batch(t, "",
		pando.BatchOp{Action: pando.BatchDelete, Collection: "posts", ID: id("p1")},
		pando.BatchOp{Action: pando.BatchUpsert, Collection: "comments", Input: inputOf(t, `{"id":"`+id("c1")+`","posts":"`+id("p2")+`"}`),
			Projection: pando.Projection{Fields: "post,posts"}})
	want := `[{"status":204,"body":null},{"status":200,"body":{"post":"","posts":["` + id("p2") + `"]}}]`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestUpsertGivesUp: one whose record comes and goes for ever is told so.
func TestUpsertGivesUp(t *testing.T) {
	db := new(between)
	w := newWorld(t, db.install)
	w.collection(t, "open", nil)
	var there *pando.Record
	db.write = func(run func() (position.N, error), _ *func(store.Tx) error) (position.N, error) {
		if there == nil {
			there = w.env.Insert(t, "open", map[string]any{"id": "upsert000000000"})
		} else {
			w.env.Delete(t, there)
			there = nil
		}
		return run()
	}
	got := w.batch(t, "", pando.BatchOp{Action: pando.BatchUpsert, Collection: "open", Input: inputOf(t, `{"id":"upsert000000000"}`)})
	if !strings.HasPrefix(got, "503 The record is being changed by others") {
		t.Errorf("got %s", got)
	}
}
