package cached_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// TestUntouchedListsStay: a list is made anew only by writes that it shows, if
// its table is read by one search and nothing else.
func TestUntouchedListsStay(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	for i := range 6 {
		f.insert(t, fmt.Sprint("a", i), float64(i))
	}
	var made int
	list := func(more func(store.Reader) error) string {
		t.Helper()
		v, err := f.Read(ctx, fmt.Append(nil, "list", more != nil), func(ctx context.Context, r store.Reader) (any, int, error) {
			scope := rule.Scope{Schema: r.Catalog(), Collection: f.notes}
			filter, err := rule.Compile("n > 3", scope)
			if err != nil {
				return nil, 0, err
			}
			sort, err := rule.CompileSort("-n", scope)
			if err != nil {
				return nil, 0, err
			}
			page, err := r.Find(ctx, store.Query{
				Collection: f.notes, Where: []store.Condition{{Rule: filter, Request: new(pando.Request)}}, Sort: sort, Limit: 2, Total: true,
			})
			if err != nil {
				return nil, 0, err
			}
			if more != nil {
				if err := more(r); err != nil {
					return nil, 0, err
				}
			}
			made++
			text := fmt.Sprint(page.Total)
			for _, rec := range page.Records {
				text += fmt.Sprintf(" %s=%v", rec.ID(), rec.Get("n"))
			}
			return text, len(text), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return v.(string)
	}
	set := func(id string, n float64) func() {
		return func() {
			if err := f.set(ctx, id, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		write func()
		made  int // how often the list has been made by then
		want  string
	}{
		{"first", func() {}, 1, "2 a5=5 a4=4"},
		{"a record that does not match", set("a1", 2), 1, "2 a5=5 a4=4"},
		{"two of them", func() { set("a1", 3)(); f.insert(t, "b", 0) }, 1, "2 a5=5 a4=4"},
		{"one that begins to match, outside of the page", set("a0", 3.5), 2, "3 a5=5 a4=4"},
		{"and does so no more", set("a0", 0), 3, "2 a5=5 a4=4"},
		{"one that is shown", set("a4", 9), 4, "2 a4=9 a5=5"},
		{"one that comes and goes between two reads", func() { set("a0", 7)(); set("a0", 1)() }, 4, "2 a4=9 a5=5"},
	} {
		tt.write()
		if got := list(nil); got != tt.want || made != tt.made {
			t.Errorf("%s: %s, made %d times; want %s, %d", tt.name, got, made, tt.want, tt.made)
		}
	}
	if c := f.Counts(); c.Still != 3 {
		t.Errorf("%+v: want 3 found to hold still", c)
	}

	// Who looks at the table once more may have seen what was written.
	made = 0
	again := func(r store.Reader) error { _, err := r.Record(ctx, f.notes, "a1"); return err }
	for want := 1; want <= 3; want++ {
		set("a1", float64(want%2))()
		if list(again); made != want {
			t.Errorf("made %d times after %d writes of a record that it reads", made, want)
		}
	}
}
