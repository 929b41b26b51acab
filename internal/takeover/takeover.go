// Package takeover makes a Pando data directory of a PocketBase one: the
// collections with their ids, rules, options and token secrets, the records
// with their ids, dates, password hashes and token keys in insertion order, the
// settings, and the files under the same names. People who were logged in stay
// logged in.
//
// The source is untrusted and never changed: its database is copied and only
// the copy is opened, read only; names and sizes are checked; rules are
// compiled before anything is written. The target is built beside its place
// and moved there when it is whole, so a failed takeover leaves none.
package takeover

import (
	"context"
	"fmt"
	"iter"

	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
)

// Source is the opened copy of the source's database.
type Source interface {
	// Columns lists a table's columns; nil if there is no such table.
	Columns(ctx context.Context, table string) ([]string, error)
	// Count is how many rows a table has.
	Count(ctx context.Context, table string) (int, error)
	// Rows yields the rows of a table in insertion order: a value for each of
	// columns, as nil, int64, float64, string or []byte. The slice is reused.
	Rows(ctx context.Context, table string, columns []string) iter.Seq2[[]any, error]
}

// Progress is how far a takeover is.
type Progress struct {
	Collection string
	Rows       int // taken so far
	Total      int // rows of all collections
	Files      int // copied so far
}

// Options says what to report.
type Options struct {
	Progress func(Progress)    // may be nil
	Report   func(text string) // called for each thing that could not be taken; may be nil
}

// Summary is what was taken over.
type Summary struct {
	Collections, Records, Files, NotTaken int
}

// Takeover is one takeover under way.
type Takeover struct {
	Source  Source
	Storage string // the source's directory of files; "" if it has none
	Store   store.Store
	Blobs   blob.Store
	Options Options

	sum      Summary
	progress Progress
}

// Run copies everything into the empty store.
func (t *Takeover) Run(ctx context.Context) (Summary, error) {
	collections, err := t.collections(ctx)
	if err != nil {
		return t.sum, err
	}
	settings, err := t.settings(ctx)
	if err != nil {
		return t.sum, err
	}
	t.closeBadRules(collections)
	collections, err = store.Define(ctx, t.Store, settings, collections, func(what string) { t.notTaken("%s", what) })
	if err != nil {
		return t.sum, err
	}
	t.sum.Collections = len(collections)
	for _, c := range collections {
		if c.IsView() {
			continue
		}
		n, err := t.Source.Count(ctx, c.Name)
		if err != nil {
			return t.sum, err
		}
		t.progress.Total += n
	}
	for _, c := range collections {
		if c.IsView() {
			continue
		}
		if err := t.records(ctx, c); err != nil {
			return t.sum, fmt.Errorf("collection %s: %w", c.Name, err)
		}
	}
	return t.sum, nil
}
func (t *Takeover) notTaken(format string, args ...any) {
	t.sum.NotTaken++
	if t.Options.Report != nil {
		t.Options.Report(fmt.Sprintf(format, args...))
	}
}

func (t *Takeover) step() {
	if t.Options.Progress != nil {
		t.Options.Progress(t.progress)
	}
}
