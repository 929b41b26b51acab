package position

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// Where many servers commit, a stream tells each of them of all commits, in the
// order of the log, and an index is one server's knowledge of it (docs/adr/0008):
//
//	F  Frontier  this server knows of every commit up to here
//	S  Safe      so does every server that has a lease, and the primary shows them
//	lease        until when this server may take its knowledge for the newest
//
// A read is answered when S has reached what it may have seen, a write when S has
// reached its commit: from then on every server judges its facts by it. So what
// anybody was answered, nobody can be shown the past of.
//
// An index is of one epoch, and without gaps. When either ends another one takes
// its place in the [Clock], and whoever waits on the old one begins anew.
type stream struct {
	safe atomic.Uint64

	mu      sync.Mutex
	waiters []*waiter // for S, by n
	ahead   []*waiter // for F, by n
	commits recent
	open    settling
	writers map[uint64]*waiter // by xid
	wants   chan struct{}      // somebody waits for what is not known yet
	retired chan struct{}      // closed when another index has taken its place; nil where there is no stream
}

// waiter waits until S has reached n.
type waiter struct {
	n    N
	done chan struct{}
	over bool // done is closed
}

// ErrRetired says that another index has taken the place of the one that was
// waited on: what was read under it is read again.
var ErrRetired = errors.New("position: another index has taken the place of this one")

// NewStreamIndex is an index that a stream tells of every commit of an epoch beyond
// base. slots is a power of two: each takes eight bytes. It has no lease yet, and its
// S is 0 until it is told of one: that this server begins at base says nothing of what
// the others know, or of what the primary shows.
func NewStreamIndex(e Epoch, base N, slots int) *Index {
	x := newIndex(base, slots)
	x.epoch = e
	x.retired = make(chan struct{})
	x.wants = make(chan struct{}, 1)
	x.writers = make(map[uint64]*waiter)
	return x
}

// Streamed tells whether a stream tells of commits, of other servers too.
func (x *Index) Streamed() bool { return x.retired != nil }

// Epoch is what the positions are of.
func (x *Index) Epoch() Epoch { return x.epoch }

// SetOrigin gives the index its origin, before it is put into a clock.
func (x *Index) SetOrigin(origin uint64) { x.origin = origin }

// Origin is the same for all indexes that were handed on from one, on every server,
// and different for any two that began with nothing. What was kept outside of the
// process by judgement of another origin is of no use: it is older than the base. And
// were the database an older copy of itself, put back while no server ran who could
// have noticed, it would be of another past, and its positions would tell nobody so.
func (x *Index) Origin() uint64 { return x.origin }

// SetInstance gives the index the run of the primary by whose log it is made, before it
// is put into a clock.
func (x *Index) SetInstance(instance uint64) { x.instance = instance }

// Instance is the run of the primary by whose log the index is made. By the log of
// another run it must not be continued: the positions of both say nothing of each
// other if the database was put back from a copy between them.
func (x *Index) Instance() uint64 { return x.instance }

// Run is one run of a primary, on one timeline. Another one can give out once more the
// numbers of transactions of which nothing was on its disk.
type Run struct {
	Timeline uint32
	Instance uint64
}

// Run is that by whose log the index is made.
func (x *Index) Run() Run { return Run{x.epoch.Timeline, x.instance} }

// Base is where the index's knowledge begins.
func (x *Index) Base() N { return N(x.base.Load()) }

// Distrust has facts of before n not be trusted, before the index is put into a clock.
func (x *Index) Distrust(n N) { raise(&x.base, n) }

// Safe is S: every server knows of each commit up to here, and the primary shows
// it. Where there is no stream, that is true of the frontier.
func (x *Index) Safe() N {
	if x.retired == nil {
		return x.Frontier()
	}
	return N(x.safe.Load())
}

// Apply notes commit n of the stream, made by the transaction xid. Entries come in
// the order of n; one that comes again is harmless. [Index.Advance] follows.
func (x *Index) Apply(n N, xid uint64, tags []Tag, all bool) {
	if all {
		x.BumpAll(n)
	}
	x.Bump(n, tags)
	raise(&x.slots[AllTag&x.mask], n)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.commits.add(xid, n)
	x.open.add(commit{n, xid, BootTime(), tags, all})
	if w := x.writers[xid]; w != nil {
		delete(x.writers, xid)
		w.n = min(w.n, n)
		x.place(w)
	}
}

// Advance says that every commit up to n has been applied.
func (x *Index) Advance(n N) {
	raise(&x.frontier, n)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ahead = reached(x.ahead, n)
}

// Settle raises S.
func (x *Index) Settle(s N) {
	raise(&x.safe, s)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiters = reached(x.waiters, s)
	x.open.settle(s)
}

// reached ends the waiting of those who wait for up to n, and lists the others.
func reached(list []*waiter, n N) []*waiter {
	over := 0
	for _, w := range list {
		if w.n > n {
			break
		}
		w.end()
		over++
	}
	return slices.Delete(list, 0, over)
}

// Covers is the last change of any of tags.
func (x *Index) Covers(tags []Tag) N {
	most := max(x.base.Load(), x.every.Load())
	for _, t := range tags {
		most = max(most, x.slots[t&x.mask].Load())
	}
	return N(most)
}

// Release is the position that S must have reached before something is answered
// that was made from tags and does not go beyond u.
func (x *Index) Release(u N, tags []Tag) N {
	// Once every commit up to u is known here, so is the last one of them that can
	// have made a difference.
	if x.Frontier() >= u {
		return min(u, x.Covers(tags))
	}
	return u
}

// AwaitRelease waits until what was made from tags, and does not go beyond u, may be
// answered.
func (x *Index) AwaitRelease(ctx context.Context, u N, tags []Tag) (released N, err error) {
	if x.Safe() < u { // most often the log has gone on by what has nothing to do with it
		if err := x.AwaitFrontier(ctx, u); err != nil {
			return 0, err
		}
	}
	o := x.Release(u, tags)
	return o, x.AwaitSafe(ctx, o)
}

// AwaitFrontier waits until every commit up to n is known here.
func (x *Index) AwaitFrontier(ctx context.Context, n N) error {
	if x.Frontier() >= n {
		return nil
	}
	w := &waiter{n: n, done: make(chan struct{})}
	x.mu.Lock()
	if x.Frontier() < n {
		x.ahead = insert(x.ahead, w)
	} else {
		w.end()
	}
	x.mu.Unlock()
	x.want()
	return x.await(ctx, w)
}

// Want is the furthest position that is waited for and not known yet, 0 if none
// is. [Index.Wants] says that there may be one.
func (x *Index) Want() N {
	x.mu.Lock()
	defer x.mu.Unlock()
	var n N
	for _, list := range [][]*waiter{x.ahead, x.waiters} {
		if len(list) > 0 {
			n = max(n, list[len(list)-1].n)
		}
	}
	if n <= x.Frontier() {
		return 0
	}
	return n
}

// Wants is sent to when somebody begins to wait for what is not known yet.
func (x *Index) Wants() <-chan struct{} { return x.wants }

func (x *Index) want() {
	select {
	case x.wants <- struct{}{}:
	default:
	}
}

// AwaitSafe waits until S has reached n.
func (x *Index) AwaitSafe(ctx context.Context, n N) error {
	if x.Safe() >= n {
		return nil
	}
	w := &waiter{n: n, done: make(chan struct{})}
	x.mu.Lock()
	x.place(w)
	x.mu.Unlock()
	if n > x.Frontier() {
		x.want()
	}
	return x.await(ctx, w)
}

// AwaitCommit waits until S has reached the commit of transaction xid (0: that is
// not known), or flushed, behind which it cannot lie. It returns the commit's
// position, or flushed.
func (x *Index) AwaitCommit(ctx context.Context, xid uint64, flushed N) (N, error) {
	w := &waiter{n: flushed, done: make(chan struct{})}
	x.mu.Lock()
	n, known := x.commits.of(xid)
	if known {
		w.n = min(n, flushed)
	}
	x.place(w)
	if !known && xid != 0 {
		x.writers[xid] = w
	}
	x.mu.Unlock()
	if !known {
		x.want()
	}
	err := x.await(ctx, w)
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.writers, xid)
	return w.n, err
}

// place puts w where it belongs, and ends its waiting if S has come so far; x is
// locked. It may wait already, for something later.
func (x *Index) place(w *waiter) {
	if w.over {
		return
	}
	x.waiters = without(x.waiters, w)
	if x.Safe() >= w.n {
		w.end()
		return
	}
	x.waiters = insert(x.waiters, w)
}

func insert(list []*waiter, w *waiter) []*waiter {
	at := len(list)
	for at > 0 && list[at-1].n > w.n {
		at--
	}
	return slices.Insert(list, at, w)
}

func without(list []*waiter, w *waiter) []*waiter {
	if i := slices.Index(list, w); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

func (w *waiter) end() {
	w.over = true
	close(w.done)
}

func (x *Index) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.done:
		return nil
	case <-x.retired:
		return ErrRetired
	case <-ctx.Done():
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiters, x.ahead = without(x.waiters, w), without(x.ahead, w)
	return ctx.Err()
}

// Waiting is how many answers wait for S.
func (x *Index) Waiting() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.waiters) + len(x.ahead)
}

// Positions are the last changes by slot, for an index of another server.
func (x *Index) Positions() []N {
	list := make([]N, len(x.slots))
	for i := range x.slots {
		list[i] = N(max(x.slots[i].Load(), x.every.Load()))
	}
	return list
}

// Load takes over the last changes of another index of as many slots, those from
// the slot at on.
func (x *Index) Load(at int, positions []N) {
	for i, n := range positions {
		raise(&x.slots[at+i], n)
	}
}

// Slots is how many there are.
func (x *Index) Slots() int { return len(x.slots) }

// recent remembers the last commits of the stream by their transactions: a writer
// may learn its number after the stream has brought it.
type recent struct {
	by   map[uint64]N
	ring []uint64
	next int
}

// recentCommits is more than are made while an answer of the database is under way.
const recentCommits = 1 << 14

func (r *recent) add(xid uint64, n N) {
	if r.by == nil {
		r.by = make(map[uint64]N)
	}
	if len(r.ring) < recentCommits {
		r.ring = append(r.ring, xid)
	} else {
		if old := r.ring[r.next]; old != xid {
			delete(r.by, old)
		}
		r.ring[r.next] = xid
		r.next = (r.next + 1) % recentCommits
	}
	r.by[xid] = n
}

func (r *recent) of(xid uint64) (N, bool) {
	n, ok := r.by[xid]
	return n, ok && xid != 0
}
