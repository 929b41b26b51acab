package records_test

import (
	"testing"
	"time"
)

// TestThrottle: who guesses at hidden records by filters is slowed down, and
// nobody else.
func TestThrottle(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "guarded", map[string]any{"listRule": `title = "mine"`}, `{"id":"f1","name":"title","type":"text"}`)
	w.collection(t, "open", nil, `{"id":"f1","name":"title","type":"text"}`)
	w.env.Insert(t, "guarded", map[string]any{"id": id("one"), "title": "mine"})
	ask := func(as, collection, filter string, times, want int) {
		t.Helper()
		before := len(w.slept)
		for range times {
			w.ok(t, call{as: as, do: "list", collection: collection, query: with("filter", filter)})
		}
		if got := len(w.slept) - before; got != want {
			t.Errorf("%d times %q of %s as %q: slowed down %d times, want %d", times, filter, collection, as, got, want)
		}
	}
	ask("", "guarded", `title = "x"`, 10, 6)
	ask("", "guarded", "", 10, 0)
	ask("", "guarded", `title = "mine"`, 10, 0)
	ask("root", "guarded", `title = "x"`, 10, 0)
	ask("", "open", `title = "x"`, 10, 0)
	w.clock = w.clock.Add(4 * time.Second)
	ask("ann", "guarded", `title = "y"`, 5, 1)
	for _, d := range w.slept {
		if d < 0 || d >= 500*time.Millisecond {
			t.Errorf("slowed down by %v", d)
		}
	}
}
