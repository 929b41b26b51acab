package records_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/records"
)

// batch runs ops as one, and writes the answer.
func (w *world) batch(t testing.TB, as string, ops ...pando.BatchOp) string {
	t.Helper()
	for i := range ops {
		ops[i].Method = map[pando.BatchAction]string{
			pando.BatchCreate: "POST", pando.BatchUpdate: "PATCH", pando.BatchUpsert: "PUT", pando.BatchDelete: "DELETE",
		}[ops[i].Action]
	}
	results, err := w.Batch(t.Context(), &pando.Request{Context: "batch", Method: "POST", Auth: w.as[as]}, ops)
	if err != nil {
		return failure(err)
	}
	text, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func inputOf(t testing.TB, body string) pando.Input { return call{body: body}.input(t) }

func TestBatch(t *testing.T) {
	hooked := new(records.Hooks)
	for name, hooks := range map[string]*records.Hooks{"plain": nil, "hooks": hooked} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *records.Config) { c.Hooks = hooks })
			things(t, w)
			name := pando.Projection{Fields: "name"}
			got := w.batch(t, "",
				pando.BatchOp{Action: pando.BatchCreate, Collection: "tags", Input: inputOf(t, `{"id":"batch0000000001","name":"one"}`), Projection: name},
				pando.BatchOp{Action: pando.BatchUpdate, Collection: "tags", ID: "batch0000000001", Input: inputOf(t, `{"name":"two"}`), Projection: name},
				pando.BatchOp{Action: pando.BatchUpsert, Collection: "tags", Input: inputOf(t, `{"id":"batch0000000001","name":"three"}`), Projection: name},
				pando.BatchOp{Action: pando.BatchUpsert, Collection: "tags", Input: inputOf(t, `{"id":"batch0000000002","name":"four"}`), Projection: name},
				pando.BatchOp{Action: pando.BatchUpsert, Collection: "tags", Input: inputOf(t, `{"id":"red000000000000","name":"crimson"}`), Projection: name},
				pando.BatchOp{Action: pando.BatchCreate, Collection: "things", Input: inputOf(t, `{"rel":"batch0000000001","pin":"1234"}`),
					Projection: pando.Projection{Expand: "rel", Fields: "expand.rel.name"}},
				pando.BatchOp{Action: pando.BatchDelete, Collection: "tags", ID: "batch0000000001"},
			)
			want := `[{"status":200,"body":{"name":"one"}},{"status":200,"body":{"name":"two"}},{"status":200,"body":{"name":"three"}},` +
				`{"status":200,"body":{"name":"four"}},{"status":200,"body":{"name":"crimson"}},` +
				`{"status":200,"body":{"expand":{"rel":{"name":"three"}}}},{"status":204,"body":null}]`
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
		hooked.Update.Add(nopHandler)
		hooked.Create.Add(nopHandler)
	}
}

// TestBatchFails: one failure undoes everything, files included, and says whose
// it was.
func TestBatchFails(t *testing.T) {
	w := newWorld(t)
	things(t, w)
	w.collection(t, "docs", nil, `{"id":"f1","name":"doc","type":"file","maxSelect":1}`)
	w.collection(t, "closed", map[string]any{"createRule": nil})
	withFile := pando.BatchOp{Action: pando.BatchCreate, Collection: "docs", Input: pando.Input{
		Body: map[string]any{"id": "doc000000000000"}, Files: map[string][]pando.Upload{"doc": {file("a.txt", "hello")}},
	}}
	create := func(collection, body string) pando.BatchOp {
		return pando.BatchOp{Action: pando.BatchCreate, Collection: collection, Input: inputOf(t, body)}
	}
	for _, c := range []struct {
		op   pando.BatchOp
		want string
	}{
		{create("things", `{"title":"x"}`), `400 Failed to create record. {\"title\":\"validation_min_text_constraint\"}`},
		{create("nope", `{}`), `404 Missing collection context.`},
		{create("closed", `{}`), `403 Only superusers can perform this action.`},
		{pando.BatchOp{Action: pando.BatchUpdate, Collection: "tags", ID: "nope"}, `404 The requested resource wasn't found.`},
		{pando.BatchOp{Action: pando.BatchDelete, Collection: "tags", ID: "nope"}, `404 The requested resource wasn't found.`},
		{create("docs", `{"id":"doc000000000000"}`), `400 Failed to create record. {\"id\":\"validation_not_unique\"}`},
	} {
		got := w.batch(t, "", withFile, c.op)
		want := `400 Batch transaction failed. {"requests":{"1":{"code":"batch_request_failed","message":"Batch request failed.","response":"` + c.want + `"}}}`
		if got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	if got := w.ok(t, call{do: "list", collection: "docs"})["totalItems"]; got != 0.0 {
		t.Errorf("%v records are left of failed batches", got)
	}
	if left := w.files(t); len(left) > 0 {
		t.Errorf("files are left of failed batches: %v", left)
	}
	if got := w.batch(t, "", withFile); !strings.Contains(got, `"doc":"a`) {
		t.Errorf("got %s", got)
	}
	if left := w.files(t); len(left) != 1 {
		t.Errorf("files %v, want one", left)
	}
}
