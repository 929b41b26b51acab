package position_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando/internal/position"
)

func TestNeed(t *testing.T) {
	a, b := position.RecordTag("posts", "a"), position.RecordTag("posts", "b")
	x := position.NewIndex(0)
	x.Forget(10)
	want := func(when string, n position.N, pending bool, tags ...position.Tag) {
		t.Helper()
		if gotN, gotPending := x.Need(tags); gotN != n || gotPending != pending {
			t.Errorf("%s: Need = %d, %v; want %d, %v", when, gotN, gotPending, n, pending)
		}
	}
	want("nothing is known of before the base", 10, false, a, b)
	x.Begin([]position.Tag{a, position.AllTag})
	want("begun", 10, true, b, a)
	want("begun, another tag", 10, false, b)
	x.Begin([]position.Tag{a, position.AllTag})
	x.Commit(12, []position.Tag{a, position.AllTag})
	want("one of two settled", 12, true, a)
	x.Abandon([]position.Tag{a, position.AllTag})
	want("the other did not happen", 12, false, a, b)
	want("a collision", 12, false, a+1<<16)
	x.Begin([]position.Tag{a})
	x.Commit(11, []position.Tag{a})
	want("a lower position settles late", 12, false, a)
	if got := x.Latest(); got != 12 {
		t.Errorf("Latest = %d, want 12", got)
	}
	x.Bump(13, []position.Tag{position.AllTag})
	if got := x.Latest(); got != 13 {
		t.Errorf("Latest = %d, want 13: it may be visible already", got)
	}
}

// Schedule 3 of the design, as drawn in pending.go: a commit that waits for its
// standby is on a replica and not yet on the primary.
func TestSyncStandbyFrozen(t *testing.T) {
	x := position.NewIndex(0)
	a := []position.Tag{position.RecordTag("t", "a")}
	onPrimary, onReplica := 1, 1
	if _, pending := x.Need(a); pending { // reader 1 chooses the replica
		t.Fatal("pending before anything began")
	}
	x.Begin(a)
	onReplica = 2 // on disk and replayed; the standby that must confirm it is frozen
	first := onReplica
	if _, pending := x.Need(a); pending {
		first = onPrimary
	}
	second := onReplica
	if _, pending := x.Need(a); pending {
		second = onPrimary
	}
	if first != 1 || second != 1 {
		t.Errorf("reader 1 answers %d, reader 2 answers %d after it; both should be sent to the primary, which shows 1", first, second)
	}
	onPrimary = 2
	x.Commit(42, a)
	if n, pending := x.Need(a); n != 42 || pending || onPrimary != onReplica {
		t.Errorf("settled: Need = %d, %v", n, pending)
	}
}

// The same as the schedules, with all at once: what the race detector sees.
func TestNobodyGoesBackAtOnce(t *testing.T) {
	const writesEach, keys = 4000, 3
	x := position.NewIndex(0)
	tagsOf := func(k int) []position.Tag { return []position.Tag{position.Tag(k + 1), position.AllTag} }
	var (
		disk    sync.Mutex
		flushed atomic.Uint64
		primary [keys]atomic.Int64
		replica [keys]atomic.Int64 // replays when it is on disk: before the primary shows it
		replay  atomic.Uint64
		floor   [keys]atomic.Int64
		rows    [keys]sync.Mutex
	)
	raise := func(k int, v int64) {
		for old := floor[k].Load(); old < v && !floor[k].CompareAndSwap(old, v); old = floor[k].Load() {
		}
	}
	var writers, readers sync.WaitGroup
	for k := range keys {
		for range 2 {
			writers.Go(func() {
				for range writesEach {
					rows[k].Lock()
					v := primary[k].Load() + 1
					x.Begin(tagsOf(k))
					disk.Lock()
					flushed.Add(1)
					replica[k].Store(v)
					replay.Add(1)
					disk.Unlock()
					primary[k].Store(v)
					rows[k].Unlock()
					x.Commit(position.N(flushed.Load()), tagsOf(k))
					raise(k, v)
				}
			})
		}
	}
	stop := make(chan struct{})
	var byReplica atomic.Int64
	for g := range 3 {
		readers.Go(func() {
			for k := g; ; k = (k + 1) % keys {
				select {
				case <-stop:
					return
				default:
				}
				least := floor[k].Load()
				n, pending := x.Need(tagsOf(k)[:1])
				v := int64(-1)
				if !pending && position.N(replay.Load()) >= n {
					v = replica[k].Load()
					if _, pending = x.Need(tagsOf(k)[:1]); pending {
						v = -1
					} else {
						byReplica.Add(1)
					}
				}
				if v < 0 {
					v = primary[k].Load()
				}
				if v < least {
					t.Errorf("key %d: read %d, somebody was answered %d before", k, v, least)
					return
				}
				raise(k, v)
			}
		})
	}
	writers.Wait()
	for k := range keys {
		if _, pending := x.Need(tagsOf(k)); pending {
			t.Errorf("key %d is pending after all commits", k)
		}
	}
	close(stop)
	readers.Wait()
	if byReplica.Load() == 0 {
		t.Error("no answer came from the replica")
	}
}

func TestNeedDoesNotAllocate(t *testing.T) {
	x := position.NewIndex(0)
	tags := []position.Tag{position.TableTag("a"), position.TableTag("b"), position.RecordTag("a", "b")}
	if n := testing.AllocsPerRun(1000, func() { x.Begin(tags); x.Need(tags); x.Commit(1, tags) }); n > 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkNeed(b *testing.B) {
	x := position.NewIndex(0)
	tags := []position.Tag{position.TableTag("a"), position.TableTag("b"), position.RecordTag("a", "b")}
	b.ReportAllocs()
	for b.Loop() {
		if _, pending := x.Need(tags); pending {
			b.Fatal("pending")
		}
	}
}

func BenchmarkCommitAtOnce(b *testing.B) {
	x := position.NewIndex(0)
	var n atomic.Uint64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			at := n.Add(1)
			tags := [2]position.Tag{position.Tag(at * 0x9E3779B97F4A7C15), position.AllTag}
			x.Begin(tags[:])
			x.Commit(position.N(at), tags[:])
		}
	})
}
