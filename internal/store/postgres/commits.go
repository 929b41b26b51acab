package postgres

import (
	"slices"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// orderWait is how long the answer to one COMMIT waits for that to another, sent
// earlier, whose effects it may have seen. It is seldom waited for at all.
const orderWait = 100 * time.Millisecond

// commits puts commits into an order: that of their positions, and of the batches
// that sinks are given.
//
// PostgreSQL does not say where in the log a commit lies, only how far the log
// is on disk behind it, and two commits that were synced together are told the
// same. An answer can also be late: B has seen what A changed, and is answered
// first. So a position is given out under a lock when the answer is there, each
// one greater than the last, and B first waits for those whose COMMIT was sent
// before B knew its snapshot. What is not answered in time either (a connection
// that hangs) is told of later, without its changes: something was changed, look
// again.
//
// The log's records begin at multiples of 8, so a node that has replayed L-7 has
// replayed L: seven commits of one sync get positions of their own below it.
//
// With one host, and a client that keeps no positions, nobody compares them with
// a log. Then the log is not asked, and they are just greater than the last.
type commits struct {
	index *position.Index
	sinks []changes.Sink

	mu       sync.Mutex
	timeline uint32
	last     position.N
	sent     uint64 // COMMITs so far
	flying   map[uint64]*flight
}

// flight is a COMMIT that was sent and not answered.
type flight struct {
	seq     uint64
	horizon uint64 // COMMITs up to here were sent before the snapshot was known
	inserts bool   // inserts only: nobody who reads nothing can hang on it
	blind   bool   // reads nothing, but that records are there:
	saw     []position.Tag
	tags    []position.Tag
	all     bool // more changed than tags name
	batch   changes.Batch
	late    bool // others did not wait for it any longer
	done    chan struct{}
}

// horizon is how many COMMITs have been sent by now.
func (k *commits) horizon() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sent
}

// depart is called right before COMMIT is sent.
func (k *commits) depart(f *flight) {
	if f.all {
		f.tags = append(f.tags, everyTag...)
	}
	k.index.Begin(f.tags)
	f.done = make(chan struct{})
	k.mu.Lock()
	defer k.mu.Unlock()
	if f.blind {
		f.horizon = k.sent
	}
	k.sent++
	f.seq = k.sent
	if k.flying == nil {
		k.flying = make(map[uint64]*flight)
	}
	k.flying[f.seq] = f
}

// everyTag has a tag in each slot of an index.
var everyTag = position.EveryTag()

// crash settles a commit that did not happen, for certain.
func (k *commits) crash(f *flight) {
	k.index.Abandon(f.tags)
	k.mu.Lock()
	delete(k.flying, f.seq)
	k.mu.Unlock()
	close(f.done)
}

// land settles a commit that did happen: the log was on disk up to flushed when
// it was answered, or 0 if it was not asked. published is called before anybody is told.
func (k *commits) land(f *flight, timeline uint32, flushed position.N, published func()) position.N {
	k.await(f)
	k.mu.Lock()
	defer k.mu.Unlock()
	n, reached := k.last+1, k.last+1
	if flushed > 0 {
		if timeline > k.timeline { // other numbers from here on
			k.timeline, k.last = timeline, 0
		}
		n = max(flushed-7, k.last+1)
		reached = min(n, flushed)
	}
	k.last = n
	published()
	k.index.Commit(reached, f.tags)
	k.index.Publish(n)
	f.batch.Position = n
	if f.late {
		f.batch.Changes, f.batch.Unlisted = nil, true
	}
	for _, sink := range k.sinks {
		sink.Publish(f.batch)
	}
	delete(k.flying, f.seq)
	close(f.done)
	return n
}

// await waits for those that f may have seen something of.
func (k *commits) await(f *flight) {
	var timeout <-chan time.Time
	for {
		other := k.ahead(f)
		if other == nil {
			return
		}
		if timeout == nil {
			timer := time.NewTimer(orderWait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-other.done:
		case <-timeout:
			k.mu.Lock()
			for _, o := range k.flying {
				o.late = o.late || f.follows(o) || f.sees(o)
			}
			k.mu.Unlock()
			return
		}
	}
}

// ahead is a flight that f has to wait for; nil if there is none.
func (k *commits) ahead(f *flight) *flight {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.flying) == 1 {
		return nil
	}
	for _, o := range k.flying {
		if !o.late && (f.follows(o) || f.sees(o)) {
			return o
		}
	}
	return nil
}

// sees tells whether o may have made a record that f found there. Its COMMIT may
// have been sent after all of f was.
func (f *flight) sees(o *flight) bool {
	return o != f && len(f.saw) > 0 && !o.follows(f) &&
		slices.ContainsFunc(f.saw, func(tag position.Tag) bool { return slices.Contains(o.tags, tag) })
}

func (f *flight) follows(o *flight) bool {
	return o.seq < f.seq && o.seq <= f.horizon && !(f.blind && f.inserts && o.inserts)
}

// drain waits for the COMMITs that have been sent by now.
func (k *commits) drain() {
	k.mu.Lock()
	var waits []chan struct{}
	for _, f := range k.flying {
		waits = append(waits, f.done)
	}
	k.mu.Unlock()
	for _, done := range waits {
		<-done
	}
}

// foreign tells everybody that another program has changed something.
func (k *commits) foreign(timeline uint32, flushed position.N, catalog bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if timeline > k.timeline {
		k.timeline, k.last = timeline, 0
	}
	n := max(flushed, k.last+1)
	k.last = n
	k.index.Forget(n)
	for _, sink := range k.sinks {
		sink.Publish(changes.Batch{Position: n, Catalog: catalog, Unlisted: true})
	}
}
