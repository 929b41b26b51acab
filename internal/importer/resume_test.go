package importer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/importer"
	"github.com/pandobase/pando/internal/servicetest"
)

func numbered(n int) string {
	var text strings.Builder
	for i := range n {
		if i%1000 == 999 {
			text.WriteString("{\"n\":\"bad\"}\n")
		} else {
			fmt.Fprintf(&text, "{\"n\":%d}\n", i)
		}
	}
	return text.String()
}

// numbers checks that each n is there once, in order.
func (f *fixture) numbers(t *testing.T, collection string, rows, times int) {
	t.Helper()
	recs := f.records(t, collection)
	i := 0
	for range times {
		for n := range rows {
			if n%1000 == 999 {
				continue
			}
			if i >= len(recs) || recs[i].Get("n") != float64(n) {
				t.Fatalf("%s: record %d of %d is not row %d", collection, i, len(recs), n)
			}
			i++
		}
	}
	if i != len(recs) {
		t.Errorf("%s has %d records, want %d", collection, len(recs), i)
	}
}

func TestResumeAndAgain(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("nums", `{"id":"f1","name":"n","type":"number"}`))
	path := file(t, "nums.ndjson", numbered(10_000))
	ctx, cancel := context.WithCancel(t.Context())
	first, err := f.run(t, ctx, path, importer.Options{Collection: "nums", Progress: func(importer.Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) || first.Rows == 0 || first.Rows >= 9990 {
		t.Fatalf("stopped: %+v %v", first, err)
	}
	var progress importer.Progress
	second := f.imports(t, path, importer.Options{Collection: "nums", Progress: func(p importer.Progress) { progress = p }})
	if second.Resumed != first.Rows+first.Failed || first.Rows+second.Rows != 9990 || first.Failed+second.Failed != 10 {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if progress.Rows != 10_000 || progress.Resumed != second.Resumed || progress.Bytes != progress.Size {
		t.Errorf("progress %+v", progress)
	}
	f.numbers(t, "nums", 10_000, 1)

	_, err = f.run(t, t.Context(), path, importer.Options{Collection: "NUMS"})
	if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "imported into nums before (9990 rows)") || !strings.Contains(err.Error(), "--again") {
		t.Errorf("a second time: %v", err)
	}

	// Again, and stopped: the same command goes on.
	ctx, cancel = context.WithCancel(t.Context())
	if _, err := f.run(t, ctx, path, importer.Options{Collection: "nums", Again: true, Progress: func(importer.Progress) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if sum := f.imports(t, path, importer.Options{Collection: "nums", Again: true}); sum.Resumed == 0 {
		t.Errorf("%+v", sum)
	}
	f.numbers(t, "nums", 10_000, 2)

	// Another collection of the same name is another target.
	if err := f.im.Collections.Delete(t.Context(), "nums"); err != nil {
		t.Fatal(err)
	}
	if sum := f.imports(t, path, importer.Options{Collection: "nums"}); !sum.Created && sum.Rows != 9990 {
		t.Errorf("%+v", sum)
	}
}

// TestTwoAtOnce: of two imports of one file at once, one stops before a row is
// in twice.
func TestTwoAtOnce(t *testing.T) {
	f := newFixture(t)
	f.Save(t, servicetest.BaseJSON("nums", `{"id":"f1","name":"n","type":"number"}`))
	path := file(t, "nums.ndjson", numbered(10_000))
	var second importer.Summary
	started := false
	_, err := f.run(t, t.Context(), path, importer.Options{Collection: "nums", Progress: func(importer.Progress) {
		if !started { // and finished, between two batches of the first
			started = true
			var err error
			if second, err = f.im.Run(t.Context(), path, importer.Options{Collection: "nums"}); err != nil {
				t.Error(err)
			}
		}
	}})
	if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "Another import of the same file") {
		t.Errorf("the first: %v", err)
	}
	if second.Resumed == 0 {
		t.Errorf("the second: %+v", second)
	}
	f.numbers(t, "nums", 10_000, 1)
}
