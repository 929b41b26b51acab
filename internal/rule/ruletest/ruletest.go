// Package ruletest runs the text files of internal/rule/testdata against
// whatever can answer which records a rule admits: the evaluator in memory and
// each database. That all of them pass one set of files is what makes a rule
// mean the same in a list and in a realtime event.
//
// A file describes collections and records, then asks. One line is one
// statement; indented lines belong to the statement above; # begins a comment
// line.
//
//	collection posts base            base, auth or view
//	  title text                     a field: name, type, then any of:
//	  tags select many               a list
//	  author relation people         its target
//	  secret text hidden
//	  index CREATE INDEX …
//	  list null                      the list rule; open if not given
//	  query SELECT …                 a view's
//	load blog.world                  reads another file in place
//	record posts p1 {"title":"a"}    an id, and values as JSON
//	as people u1                     who asks from here on; "as guest" for nobody
//	request {"method":"GET","query":{"a":"1"},"headers":{},"body":{},"context":"default"}
//	now 2026-11-23 17:06:05.875Z
//	rule posts title = "a"           a rule of collection posts
//	filter posts title = "a"         a filter that a client sent who is no superuser
//	create posts {"title":"a"} num=1 a create rule, asked about a record to be
//	sort posts -title                a sort list; csort: of a client
//
// After rule, filter, create and sort comes what is expected: "=> p1 p3" (ids;
// in this order after sort, in insertion order else), "=> yes" or "=> no" after
// create, or "!! text" for an error that has text in it.
package ruletest

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// World is the collections and records of one file. It is a [rule.Schema] and a
// [rule.Source].
type World struct {
	Collections []*pando.Collection
	Records     []*pando.Record // in insertion order
}

// Collection finds by id or name.
func (w *World) Collection(ref string) *pando.Collection {
	for _, c := range w.Collections {
		if c.Is(ref) {
			return c
		}
	}
	return nil
}

// All lists the collections.
func (w *World) All() []*pando.Collection { return w.Collections }

// Of lists the records of a collection.
func (w *World) Of(c *pando.Collection) []*pando.Record {
	var out []*pando.Record
	for _, r := range w.Records {
		if r.Collection == c {
			out = append(out, r)
		}
	}
	return out
}

// Source is the world as a source of records.
type Source struct{ *World }

// All yields the records of a collection.
func (s Source) All(_ context.Context, c *pando.Collection) ([]*pando.Record, error) {
	return s.Of(c), nil
}

// Question is one thing to ask an engine.
type Question struct {
	Collection *pando.Collection
	Rule       *rule.Rule     // nil: all records
	Sort       []rule.SortKey // none: insertion order
	Request    *pando.Request
	Now        time.Time
	Virtual    *pando.Record // stands in for the whole table, if set
}

// Engine answers questions about a world.
type Engine interface {
	// Find gives the ids of the records that the rule admits, in order.
	Find(ctx context.Context, q Question) ([]string, error)
	// Sorts tells whether the engine knows sort keys.
	Sorts() bool
}

// Run runs every file against engines made by open, one for each file.
func Run(t *testing.T, open func(t *testing.T, w *World) Engine) {
	_, here, _, _ := runtime.Caller(0)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(here), "..", "testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, err := Parse(string(data), func(name string) (string, error) {
				data, err := os.ReadFile(filepath.Join(filepath.Dir(file), name))
				return string(data), err
			})
			if err != nil {
				t.Fatalf("%s: %v", filepath.Base(file), err)
			}
			if len(script.Cases) == 0 {
				t.Fatal("the file asks nothing")
			}
			engine := open(t, script.World)
			for _, c := range script.Cases {
				c.check(t, script.World, engine)
			}
		})
	}
}

func (c *Case) check(t *testing.T, w *World, engine Engine) {
	t.Helper()
	ctx := context.Background()
	q := Question{Collection: c.Collection, Request: c.Request, Now: c.Now, Virtual: c.Virtual}
	scope := rule.Scope{Schema: w, Collection: c.Collection, Client: c.Client}
	var err error
	if c.IsSort {
		if !engine.Sorts() {
			return
		}
		q.Sort, err = rule.CompileSort(c.Text, scope)
	} else {
		q.Rule, err = rule.Compile(c.Text, scope)
	}
	var got []string
	if err == nil {
		got, err = engine.Find(ctx, q)
	}
	switch {
	case c.Error != "" && err == nil:
		t.Errorf("line %d: %s: got %v, want an error with %q", c.Line, c.Text, got, c.Error)
	case c.Error != "" && !strings.Contains(err.Error(), c.Error):
		t.Errorf("line %d: %s: error %q, want one with %q", c.Line, c.Text, err, c.Error)
	case c.Error == "" && err != nil:
		t.Errorf("line %d: %s: %v", c.Line, c.Text, err)
	case c.Error == "":
		if diff := cmp.Diff(slices.Concat([]string{}, c.Want), slices.Concat([]string{}, got)); diff != "" {
			t.Errorf("line %d: %s: (-want +got)\n%s", c.Line, c.Text, diff)
		}
	}
}

// Memory is the evaluator as an engine.
func Memory(_ *testing.T, w *World) Engine { return memory{w} }

type memory struct{ w *World }

func (memory) Sorts() bool { return false }

func (m memory) Find(ctx context.Context, q Question) ([]string, error) {
	records := m.w.Of(q.Collection)
	if q.Virtual != nil {
		records = []*pando.Record{q.Virtual}
	}
	var ids []string
	for _, rec := range records {
		ok, err := q.Rule.Match(ctx, rule.Env{Request: q.Request, Now: q.Now, Source: Source{m.w}}, rec)
		if err != nil {
			return nil, err
		}
		if ok {
			ids = append(ids, rec.ID())
		}
	}
	return ids, nil
}
