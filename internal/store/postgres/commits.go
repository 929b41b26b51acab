package postgres

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
)

const (
	// orderWait is how long the answer to one COMMIT waits for that to another,
	// sent earlier, whose effects it may have seen. It is seldom waited for at all.
	orderWait = 100 * time.Millisecond
	// heldWait is how long sinks wait: longer than a disk or a standby is slow.
	heldWait = 5 * time.Second
)

// commits puts commits into an order: that of their positions, and of the batches
// that sinks are given.
//
// PostgreSQL does not say where in the log a commit lies, only how far the log
// is on disk behind it, and two commits that were synced together are told the
// same. An answer can also be late: B has seen what A changed, and is answered
// first. So a position is given out under a lock when the answer is there, each
// one greater than the last, and B first waits for those whose COMMIT was sent
// before B knew its snapshot. If A takes longer, B is answered, but sinks are told
// of B after A all the same. What hangs for ever (a connection that was lost
// without a word) is told of at last without its changes: something was changed,
// look again.
//
// The log's records begin at multiples of 8, so a node that has replayed L-7 has
// replayed L: seven commits of one sync get positions of their own below it.
//
// With one host, and a client that keeps no positions, nobody compares them with
// a log. Then the log is not asked, and they are just greater than the last.
type commits struct {
	index *position.Index
	sinks []changes.Sink

	// Where a stream tells of commits none of this is done: see stream.go.
	clock  *position.Clock
	wait   time.Duration
	onHeld func(time.Duration)
	own    own

	mu       sync.Mutex
	timeline uint32
	last     position.N
	sent     uint64 // COMMITs so far
	flying   map[uint64]*flight
	held     []*flight  // answered, but sinks are told of others before; by seq
	told     position.N // of the last batch
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
	read    read // where a stream tells of commits
	batch   changes.Batch
	late    bool   // others do not wait for it any longer
	xid     uint64 // 0: not known
	own     ownKey // of what is kept of it; 0: nothing is
	done    chan struct{}

	// Where a stream tells of commits: the index of when it departed, and how far that was;
	// and whether the client is told that nobody knows what became of it.
	index    *position.Index
	departed position.N
	unsure   bool

	timeline uint32 // once it has landed
}

// horizon is how many COMMITs have been sent by now.
func (k *commits) horizon() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sent
}

// depart is called right before COMMIT is sent.
func (k *commits) depart(f *flight) {
	if k.clock != nil {
		return
	}
	if f.all {
		f.tags = append(f.tags, everyTag...)
	}
	if !mutant.PendingUnmarked {
		k.index.Begin(f.tags)
	}
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
	k.own.drop(f.own)
	if k.clock != nil {
		return
	}
	k.index.Abandon(f.tags)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.flying, f.seq)
	k.tell()
	close(f.done)
}

// doubt is called before a commit lands of which it is not known whether it was
// made.
func (k *commits) doubt(f *flight) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f.late = true
}

// land settles a commit that did happen: the log was on disk up to flushed when
// it was answered, or 0 if it was not asked. published is called before anybody is told.
func (k *commits) land(f *flight, timeline uint32, flushed position.N, published func()) position.N {
	if k.clock != nil {
		return k.streamed(f, timeline, flushed, published)
	}
	k.await(f)
	mutant.Gap(mutant.PendingUnmarked || mutant.PendingUnseen)
	k.mu.Lock()
	defer k.mu.Unlock()
	n, reached := k.last+1, k.last+1
	if flushed > 0 {
		k.reach(timeline)
		n = max(flushed-7, k.last+1)
		reached = min(n, flushed)
	}
	k.last = n
	published()
	k.index.Commit(reached, f.tags)
	k.index.Publish(n)
	f.batch.Position, f.timeline = n, k.timeline
	if f.late {
		f.batch.Gap = len(f.batch.Changes) > 0
		f.batch.Changes, f.batch.Unlisted = nil, true
	}
	delete(k.flying, f.seq)
	k.hold(f)
	close(f.done)
	return n
}

// reach notes the timeline, whose numbers are other ones; k is locked.
func (k *commits) reach(timeline uint32) {
	if timeline > k.timeline {
		k.timeline, k.last, k.told = timeline, 0, 0
	}
}

// hold tells sinks of f, now or when it is its turn; k is locked.
func (k *commits) hold(f *flight) {
	at, _ := slices.BinarySearchFunc(k.held, f.seq, func(o *flight, seq uint64) int { return cmp.Compare(o.seq, seq) })
	k.held = slices.Insert(k.held, at, f)
	k.tell()
	if !slices.Contains(k.held, f) {
		return
	}
	time.AfterFunc(heldWait, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, o := range k.flying {
			o.late = o.late || f.after(o)
		}
		k.tell()
	})
}

// tell gives to sinks what need not be held any longer; k is locked.
func (k *commits) tell() {
	for i := 0; i < len(k.held); {
		f := k.held[i]
		if k.waits(f) {
			i++
			continue
		}
		k.held = slices.Delete(k.held, i, i+1)
		if f.timeline != k.timeline || f.batch.Position <= k.told { // others have overtaken it
			k.last++
			f.batch.Position = k.last
			k.index.Publish(k.last)
		}
		k.publish(f.batch)
		i = 0 // one that was passed over may have waited for this one
	}
}

func (k *commits) publish(b changes.Batch) {
	k.told = b.Position
	for _, sink := range k.sinks {
		sink.Publish(b)
	}
}

// waits tells whether sinks must be told of another one before f: one that is
// flying, or is held as well.
func (k *commits) waits(f *flight) bool {
	for _, o := range k.flying {
		if !o.late && f.after(o) {
			return true
		}
	}
	return slices.ContainsFunc(k.held, f.after)
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
		if !o.late && f.after(o) {
			return o
		}
	}
	return nil
}

// after tells whether f may have seen something of o.
func (f *flight) after(o *flight) bool { return f.follows(o) || f.sees(o) }

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
	k.reach(timeline)
	n := max(flushed, k.last+1)
	k.last = n
	k.index.Forget(n)
	k.publish(changes.Batch{Position: n, Catalog: catalog, Unlisted: true})
}
