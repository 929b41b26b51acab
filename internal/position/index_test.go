package position_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando/internal/position"
)

func TestValid(t *testing.T) {
	a, b := position.RecordTag("posts", "a"), position.RecordTag("posts", "b")
	x := position.NewIndex(10)
	tests := []struct {
		name string
		do   func()
		s    position.N
		tags []position.Tag
		want bool
	}{
		{"nothing changed", func() {}, 10, []position.Tag{a, b}, true},
		{"from before the index began", func() {}, 9, []position.Tag{a}, false},
		{"no tags", func() {}, 10, nil, true},
		{"a tag changed later", func() { x.Bump(11, []position.Tag{a}) }, 10, []position.Tag{a}, false},
		{"already before the commit is published", func() {}, 10, []position.Tag{b, a}, false},
		{"the other tag did not", func() { x.Publish(11) }, 10, []position.Tag{b}, true},
		{"stamped with the change", func() {}, 11, []position.Tag{a}, true},
		{"a late, lower bump does not turn it back", func() { x.Bump(3, []position.Tag{a}) }, 10, []position.Tag{a}, false},
		{"forgotten", func() { x.Forget(12) }, 11, []position.Tag{b}, false},
		{"stamped after forgetting", func() {}, 12, []position.Tag{a, b}, true},
	}
	for _, tt := range tests {
		tt.do()
		if got := x.Valid(tt.s, tt.tags); got != tt.want {
			t.Errorf("%s: Valid(%d) = %v, want %v", tt.name, tt.s, got, tt.want)
		}
	}
	if got := x.Frontier(); got != 12 {
		t.Errorf("Frontier = %d, want 12: Forget publishes its position", got)
	}
}

func TestTagsDiffer(t *testing.T) {
	tags := map[position.Tag]string{position.AllTag: "all"}
	for name, tag := range map[string]position.Tag{
		"record ab/c": position.RecordTag("ab", "c"),
		"record a/bc": position.RecordTag("a", "bc"),
		"record /abc": position.RecordTag("", "abc"),
		"table abc":   position.TableTag("abc"),
		"table ab":    position.TableTag("ab"),
	} {
		if other, ok := tags[tag]; ok {
			t.Errorf("%s and %s share a tag", name, other)
		}
		tags[tag] = name
	}
}

// A reader never accepts a fact older than a value that anybody has been able to
// see: the property that the order Bump, COMMIT, Publish is there for.
func TestNoReaderGoesBack(t *testing.T) {
	const writes = 20_000
	x := position.NewIndex(0)
	tag := []position.Tag{position.TableTag("t")}
	var committed atomic.Uint64 // the database: the value is the commit's number
	type fact struct{ value, s uint64 }
	var cached atomic.Pointer[fact]
	cached.Store(new(fact))

	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			var seen uint64
			for {
				select {
				case <-stop:
					return
				default:
				}
				f := cached.Load()
				if !x.Valid(position.N(f.s), tag) {
					f = &fact{s: uint64(x.Frontier())} // the stamp before the snapshot
					f.value = committed.Load()
					cached.Store(f)
				}
				if f.value < seen {
					t.Errorf("read %d after %d", f.value, seen)
					return
				}
				seen = f.value
			}
		})
	}
	for n := uint64(1); n <= writes; n++ {
		x.Bump(position.N(n), tag)
		committed.Store(n)
		x.Publish(position.N(n))
	}
	close(stop)
	wg.Wait()
}

func TestValidDoesNotAllocate(t *testing.T) {
	x := position.NewIndex(0)
	tags := []position.Tag{position.TableTag("a"), position.TableTag("b"), position.RecordTag("a", "b")}
	if n := testing.AllocsPerRun(1000, func() { x.Valid(0, tags) }); n > 0 {
		t.Errorf("Valid allocates %v times, want 0", n)
	}
}

func BenchmarkValid(b *testing.B) {
	x := position.NewIndex(0)
	tags := []position.Tag{position.TableTag("a"), position.TableTag("b"), position.RecordTag("a", "b")}
	b.ReportAllocs()
	for b.Loop() {
		if !x.Valid(0, tags) {
			b.Fatal("invalid")
		}
	}
}
