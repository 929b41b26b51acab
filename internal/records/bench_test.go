package records_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pandobase/pando"
)

// notes is a collection of n records of about 600 bytes, half of them ann's.
func notes(b testing.TB, w *world, n int) {
	w.collection(b, "notes", map[string]any{"listRule": `owner = @request.auth.id`, "viewRule": ""},
		`{"id":"f1","name":"title","type":"text"}`, `{"id":"f2","name":"body","type":"editor"}`,
		`{"id":"f3","name":"owner","type":"relation","collectionId":"pbc_users","maxSelect":1}`,
		`{"id":"f4","name":"created","type":"autodate","onCreate":true}`)
	for i := range n {
		w.env.Insert(b, "notes", map[string]any{
			"id": fmt.Sprintf("note%011d", i), "title": fmt.Sprint("Note ", i), "body": strings.Repeat("lorem ", 70),
			"owner": id([]string{"ann", "bob"}[i%2]), "created": "2026-01-02 03:04:05.000Z",
		})
	}
}

func BenchmarkViewCached(b *testing.B) {
	w := newWorld(b)
	notes(b, w, 1)
	req := &pando.Request{Context: "default", Method: "GET", Auth: w.as["ann"]}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.View(b.Context(), req, "notes", "note00000000000", pando.Projection{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListCached(b *testing.B) {
	w := newWorld(b)
	notes(b, w, 60)
	req := &pando.Request{Context: "default", Method: "GET", Auth: w.as["ann"]}
	q := pando.ListQuery{Sort: "-created", Filter: "title ~ 'note'"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.List(b.Context(), req, "notes", q); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	w := newWorld(b)
	notes(b, w, 0)
	req := &pando.Request{Context: "default", Method: "POST", Auth: w.as["ann"]}
	in := pando.Input{Body: map[string]any{"title": "x", "body": strings.Repeat("lorem ", 70), "owner": id("ann")}}
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Create(b.Context(), req, "notes", in, pando.Projection{}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// TestCachedReadsAreCheap: what a cached read allocates is counted, so that
// nobody slows the hottest path by accident.
func TestCachedReadsAreCheap(t *testing.T) {
	w := newWorld(t)
	notes(t, w, 2)
	req := &pando.Request{Context: "default", Method: "GET", Auth: w.as["ann"]}
	for name, c := range map[string]struct {
		most float64
		read func() error
	}{
		"view": {7, func() error {
			_, err := w.View(t.Context(), req, "notes", "note00000000000", pando.Projection{})
			return err
		}},
		"list": {7, func() error {
			_, err := w.List(t.Context(), req, "notes", pando.ListQuery{Sort: "-created"})
			return err
		}},
	} {
		if err := c.read(); err != nil {
			t.Fatal(name, err)
		}
		got := testing.AllocsPerRun(200, func() {
			if err := c.read(); err != nil {
				t.Fatal(err)
			}
		})
		if got > c.most {
			t.Errorf("a cached %s makes %v allocations, want at most %v", name, got, c.most)
		}
	}
}
