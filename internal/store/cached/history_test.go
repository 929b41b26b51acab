package cached

import (
	"fmt"
	"testing"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

// TestHistory: of each key the last facts are known, as long as not too many others were
// made since.
func TestHistory(t *testing.T) {
	var h history
	want := func(key string, stamps ...position.N) {
		t.Helper()
		list := h.of(key)
		if len(list) != len(stamps) {
			t.Fatalf("%s: %v, want stamps %v", key, list, stamps)
		}
		for i, m := range list {
			if m.s != stamps[i] {
				t.Errorf("%s: %v, want stamps %v", key, list, stamps)
			}
		}
	}
	want("a")
	for n := range position.N(3) {
		h.note(&cache.Fact{Key: "a", S: n})
		h.note(&cache.Fact{Key: "b", S: 10 + n})
	}
	want("a", 0, 1, 2)
	want("b", 10, 11, 12)
	for n := range historyMost - 3 {
		h.note(&cache.Fact{Key: fmt.Sprint(n)})
	}
	want("a", 2)
	want("b", 11, 12)
	h.note(&cache.Fact{Key: "a", S: 20})
	want("a", 2, 20)
	if len(h.ring) != historyMost {
		t.Errorf("%d are remembered", len(h.ring))
	}
}

func TestHosts(t *testing.T) {
	var h hosts
	if n := h.number(""); n != 0 || h.name(n) != "" {
		t.Errorf("nobody is number %d", n)
	}
	for i := range 300 {
		name := fmt.Sprint("db", i)
		n := h.number(name)
		if got := h.name(n); i < 255 && (got != name || h.number(name) != n) || i >= 255 && (n != 0 || got != "") {
			t.Fatalf("%s is number %d, which is %q", name, n, got)
		}
	}
}
