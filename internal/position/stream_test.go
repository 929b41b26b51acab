package position

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando"
)

func stream4(base N) *Index { return NewStreamIndex(Epoch{Database: 1, Timeline: 1}, base, 16) }

func TestReleaseIsTheLastChangeThatWasSeen(t *testing.T) {
	x := stream4(100)
	a, b := []Tag{1}, []Tag{2}
	x.Apply(110, 7, a, false)
	x.Apply(120, 8, b, false)
	if got := x.Release(130, a); got != 130 {
		t.Errorf("beyond the frontier: %d, want what was read", got)
	}
	x.Advance(130)
	if got := x.Release(130, a); got != 110 {
		t.Errorf("within it: %d, want the tag's last change 110", got)
	}
	if got := x.Release(105, a); got != 105 {
		t.Errorf("read before the last change: %d, want 105", got)
	}
	if got := x.Release(130, []Tag{3}); got != 100 {
		t.Errorf("never changed: %d, want the base", got)
	}
}

func TestAllIsEveryTag(t *testing.T) {
	x := stream4(100)
	x.Apply(110, 7, nil, true)
	for tag := range Tag(40) {
		if x.Valid(109, []Tag{tag}) {
			t.Fatalf("a fact of before holds, of tag %d", tag)
		}
	}
}

func TestEveryCommitChangesAllTag(t *testing.T) {
	x := stream4(100)
	x.Apply(110, 7, []Tag{5}, false)
	if got := x.Covers([]Tag{AllTag}); got != 110 {
		t.Errorf("last change of all is %d, want 110", got)
	}
}

// A writer is let go at its own commit, whether the stream brought that before it
// knew the transaction's number or after, and at the latest by what was on disk.
func TestAwaitCommit(t *testing.T) {
	for name, c := range map[string]struct {
		before, after func(x *Index)
		xid           uint64
		want          N
	}{
		"brought before": {func(x *Index) { x.Apply(110, 7, nil, false); x.Advance(110) }, func(x *Index) { x.Settle(110) }, 7, 110},
		"brought after":  {func(*Index) {}, func(x *Index) { x.Apply(110, 7, nil, false); x.Advance(110); x.Settle(110) }, 7, 110},
		"never brought":  {func(*Index) {}, func(x *Index) { x.Advance(150); x.Settle(150) }, 7, 140},
		"number unknown": {func(*Index) {}, func(x *Index) { x.Settle(140) }, 0, 140},
		"long ago":       {func(x *Index) { x.Apply(110, 7, nil, false); x.Settle(150) }, func(*Index) {}, 7, 110},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := stream4(100)
				c.before(x)
				done := make(chan N)
				go func() {
					n, err := x.AwaitCommit(t.Context(), c.xid, 140)
					if err != nil {
						t.Error(err)
					}
					done <- n
				}()
				synctest.Wait()
				c.after(x)
				if n := <-done; n != c.want {
					t.Errorf("position %d, want %d", n, c.want)
				}
				if x.Waiting() != 0 || len(x.writers) != 0 {
					t.Error("somebody is still waited for")
				}
			})
		})
	}
}

func TestAnEntryThatIsRepeatedIsHarmless(t *testing.T) {
	x := stream4(100)
	w := &waiter{n: 140, done: make(chan struct{})}
	x.writers[7] = w
	x.Settle(150)
	x.place(w)
	x.Apply(110, 7, nil, false) // the writer has not come to forget it yet
	x.writers[7] = w
	x.Apply(110, 7, nil, false)
}

func TestWaitersGoInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := stream4(100)
		passed := make(chan N, 4)
		for _, n := range []N{130, 110, 140, 120} {
			go func() {
				if err := x.AwaitSafe(t.Context(), n); err != nil {
					t.Error(err)
				}
				passed <- n
			}()
		}
		synctest.Wait()
		x.Settle(120)
		if a, b := <-passed, <-passed; a+b != 230 {
			t.Errorf("%d and %d were let go at 120", a, b)
		}
		synctest.Wait()
		if len(passed) > 0 || x.Waiting() != 2 {
			t.Error("others were let go too")
		}
		x.Settle(140)
		<-passed
		<-passed
	})
}

func TestWhoWaitsOnARetiredIndexBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := stream4(100)
		c := NewClock(x, time.Second)
		failed := make(chan error)
		go func() { failed <- x.AwaitSafe(t.Context(), 110) }()
		synctest.Wait()
		c.Replace(stream4(200))
		if err := <-failed; !errors.Is(err, ErrRetired) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	x := stream4(100)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.AwaitSafe(ctx, 110); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if x.Waiting() != 0 {
		t.Error("it is still waited for")
	}
}

func TestReadyWaitsForALease(t *testing.T) {
	x := stream4(100)
	c := NewClock(x, 10*time.Millisecond)
	if _, err := c.Ready(t.Context()); pando.KindOf(err) != pando.KindUnavailable {
		t.Fatalf("without a lease: %v", err)
	}
	c = NewClock(x, time.Minute)
	got := make(chan *Index)
	go func() {
		x, err := c.Ready(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- x
	}()
	c.Grant(x, BootTime()+time.Minute.Nanoseconds())
	if <-got != x {
		t.Error("another index")
	}
	c.Grant(x, 1) // is never shortened
	if !x.Leased() {
		t.Error("the lease was shortened")
	}
	if NewIndex(0).Leased() != true {
		t.Error("the only server needs no lease")
	}
}

func TestAnIndexIsTakenOver(t *testing.T) {
	x := stream4(100)
	x.Apply(110, 1, []Tag{3}, false)
	x.Apply(120, 2, []Tag{9}, false)
	y := NewStreamIndex(x.Epoch(), x.Base(), x.Slots())
	all := x.Positions()
	y.Load(0, all[:8])
	y.Load(8, all[8:])
	for tag := range Tag(16) {
		if x.Covers([]Tag{tag}) != y.Covers([]Tag{tag}) {
			t.Errorf("tag %d differs", tag)
		}
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	var r recent
	for i := range uint64(recentCommits + 10) {
		r.add(i+1, N(i+1))
	}
	if _, ok := r.of(5); ok {
		t.Error("the oldest is remembered")
	}
	if n, ok := r.of(recentCommits + 10); !ok || n != recentCommits+10 {
		t.Error("the newest is not")
	}
	if len(r.by) != recentCommits {
		t.Errorf("%d are remembered", len(r.by))
	}
}

// What stands before every answer from a cache: is there a lease, and does the fact hold.
func TestValidOfAStreamDoesNotAllocate(t *testing.T) {
	x := stream4(100)
	x.Apply(110, 7, []Tag{1}, false)
	x.Advance(110)
	c := NewClock(x, time.Minute)
	c.Grant(x, BootTime()+time.Minute.Nanoseconds())
	tags := []Tag{1, 2, 3}
	for s, want := range map[N]bool{110: true, 109: false} {
		n := testing.AllocsPerRun(1000, func() {
			if x, err := c.Ready(t.Context()); err != nil || x.Valid(s, tags) != want {
				t.Errorf("a fact stamped %d: not %v; %v", s, want, err)
			}
		})
		if n > 0 {
			t.Errorf("a fact stamped %d: %v allocations, want 0", s, n)
		}
	}
}

func BenchmarkValidOfAStream(b *testing.B) {
	x := NewStreamIndex(Epoch{}, 1, 1<<21)
	x.grant(BootTime() + time.Hour.Nanoseconds())
	tags := []Tag{123456789, 987654321, 192837465}
	b.ReportAllocs()
	for b.Loop() {
		if !x.Valid(5, tags) {
			b.Fatal("not valid")
		}
	}
}

func BenchmarkLeased(b *testing.B) {
	x := NewStreamIndex(Epoch{}, 1, 1<<10)
	x.grant(BootTime() + time.Hour.Nanoseconds())
	b.ReportAllocs()
	for b.Loop() {
		if !x.Leased() {
			b.Fatal("no lease")
		}
	}
}

// A snapshot of the primary is torn if it lacks a commit and holds a later one of the same
// tags: also when S has passed both since.
func TestTorn(t *testing.T) {
	x := stream4(100)
	a, b := []Tag{1}, []Tag{2}
	x.Apply(110, 1, a, false)
	x.Apply(120, 2, b, false)
	x.Apply(130, 3, a, false)
	x.Apply(140, 4, nil, true)
	x.Advance(150)
	holds := func(list ...uint64) func(uint64) bool {
		return func(xid uint64) bool { return slices.Contains(list, xid) }
	}
	for range 2 {
		for _, c := range []struct {
			name string
			seen []uint64
			s, u N
			tags []Tag
			torn bool
		}{
			{"nothing", nil, 100, 150, a, false},
			{"the first", []uint64{1}, 100, 150, a, false},
			{"the second of two", []uint64{3}, 100, 150, a, true},
			{"the second, when the first was there before", []uint64{3}, 115, 150, a, false},
			{"the second, which is beyond what was read", []uint64{3}, 100, 125, a, false},
			{"the second, of other tags", []uint64{2}, 100, 125, a, false},
			{"the second, of other tags, and both are asked for", []uint64{2}, 100, 125, []Tag{1, 2}, true},
			{"one that changed everything", []uint64{1, 2, 4}, 100, 150, a, true},
			{"all", []uint64{1, 2, 3, 4}, 100, 150, a, false},
		} {
			if torn, ok := x.Torn(holds(c.seen...), c.s, c.u, c.tags); torn != c.torn || !ok {
				t.Errorf("%s: torn %v, known %v; want %v", c.name, torn, ok, c.torn)
			}
		}
		x.Settle(150)
	}
	commits := func(from, count N, tags []Tag) (last N) {
		for n := from; n < from+count; n++ {
			x.Apply(n, uint64(n), tags, false)
		}
		x.Settle(from + count - 1)
		return from + count - 1
	}
	last := commits(200, 2*settledMost, b)
	if torn, ok := x.Torn(holds(uint64(last)), last-10, last, b); !torn || !ok {
		t.Errorf("the last ones: torn %v, known %v", torn, ok)
	}
	// Of those before it is only known that they were.
	if torn, ok := x.Torn(holds(), 150, 210, a); torn || !ok {
		t.Errorf("none of which is there: torn %v, known %v", torn, ok)
	}
	if torn, ok := x.Torn(holds(205), 150, 210, a); !torn || !ok {
		t.Errorf("of which the later one is there: torn %v, known %v", torn, ok)
	}
	last = commits(last+1, commitsMost, b)
	if _, ok := x.Torn(holds(), 150, 160, a); ok {
		t.Error("what was forgotten is thought to be known")
	}
	last = commits(last+1, 10, slices.Repeat(a, tagsMost/4))
	if n := x.open.tags; n > tagsMost {
		t.Errorf("%d tags are kept, %d at most", n, tagsMost)
	}
	if torn, ok := x.Torn(holds(uint64(last)), last-9, last, a); !torn || !ok {
		t.Errorf("of which some have no tags any more: torn %v, known %v", torn, ok)
	}
}

// TestHeard: of what changed something the last commits are told, as far as it is
// remembered what they changed.
func TestHeard(t *testing.T) {
	x := stream4(100)
	if list, since := x.Heard([]Tag{1}, 8); len(list) != 0 || since != 0 {
		t.Errorf("nothing was heard: %v, since %d", list, since)
	}
	for n := N(101); n <= 110; n++ {
		x.Apply(n, uint64(n)*10, []Tag{Tag(n % 2)}, n == 104)
	}
	x.Advance(110)
	x.Settle(106)
	want := func(when string, tags []Tag, most int, since N, ns ...N) {
		t.Helper()
		list, from := x.Heard(tags, most)
		var got []N
		for _, c := range list {
			if got = append(got, c.N); c.XID != uint64(c.N)*10 || c.Ago < 0 {
				t.Errorf("%s: %+v", when, c)
			}
		}
		if !slices.Equal(got, ns) || from != since {
			t.Errorf("%s: %v since %d, want %v since %d", when, got, from, ns, since)
		}
	}
	want("settled or not", []Tag{1}, 8, 101, 101, 103, 104, 105, 107, 109)
	want("the last ones", []Tag{1}, 2, 101, 107, 109)
	want("of another tag in the slot", []Tag{17}, 1, 101, 109)
	want("of nothing that changed", []Tag{5}, 8, 101, 104)
	for n := N(111); n <= 111+settledMost; n++ {
		x.Apply(n, uint64(n)*10, []Tag{0}, false)
	}
	x.Settle(111 + settledMost)
	want("forgotten", []Tag{1}, 8, 112)
}
