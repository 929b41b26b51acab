package records_test

import (
	"testing"

	"github.com/pandobase/pando"
)

// TestEncodeOldRecord: a record that was read before its collection was changed
// is shown by the fields it has.
func TestEncodeOldRecord(t *testing.T) {
	w := newWorld(t)
	blog(t, w)
	old := w.stored(t, "comments", id("c1"))
	w.env.Change(t, "comments", func(c *pando.Collection) {
		c.Fields = append([]*pando.Field{c.Fields[0], {ID: "new9", Name: "num", Type: pando.FieldNumber, Options: new(pando.NumberOptions)}}, c.Fields[1:]...)
	})
	var got []byte
	err := w.read(t, func(r reader) error {
		var err error
		got, err = w.Encode(t.Context(), r, &pando.Request{}, old, "post.author")
		return err
	})
	want := `{"collectionId":"pbc_comments","collectionName":"comments","expand":{"post":{"author":"a10000000000000",` +
		`"co":["a20000000000000","a10000000000000","a30000000000000"],"collectionId":"pbc_posts","collectionName":"posts",` +
		`"expand":{"author":{"collectionId":"pbc_authors","collectionName":"authors","id":"a10000000000000","name":"a1"}},` +
		`"id":"p10000000000000","par":["no0000000000000","yes000000000000"],"req":"a40000000000000","sec":"s10000000000000"}},` +
		`"id":"c10000000000000","post":"p10000000000000","posts":["p10000000000000","p20000000000000"]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

// TestVolatile: what can change without a write is not kept.
func TestVolatile(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "events", map[string]any{"viewRule": `day > @now`}, `{"id":"f1","name":"day","type":"date"}`)
	w.env.Insert(t, "events", map[string]any{"id": id("one"), "day": "2026-01-02 04:00:00.000Z"})
	w.env.Insert(t, "events", map[string]any{"id": id("two"), "day": "2026-01-01 04:00:00.000Z"})
	fields := with("fields", "id")
	filter := with("fields", "id", "filter", `day > @now`)
	one := `{"items":[{"id":"one000000000000"}],"page":1,"perPage":30,"totalItems":1,"totalPages":1}`
	none := `{"items":[],"page":1,"perPage":30,"totalItems":0,"totalPages":0}`
	w.expect(t, []step{
		{call{do: "view", collection: "events", id: id("one"), query: fields}, `200 {"id":"one000000000000"}`},
		{call{do: "list", collection: "events", query: filter}, "200 " + one},
	})
	w.clock = w.clock.AddDate(0, 0, 1)
	w.expect(t, []step{
		{call{do: "view", collection: "events", id: id("one"), query: fields}, notFoundText},
		{call{do: "list", collection: "events", query: filter}, "200 " + none},
	})
	seen := map[string]bool{}
	for range 100 {
		seen[w.run(t, call{do: "list", collection: "events", query: with("fields", "id", "sort", "@random")})] = true
	}
	if len(seen) != 2 {
		t.Errorf("two records in random order were seen in %d orders", len(seen))
	}
}
