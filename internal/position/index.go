package position

import "sync/atomic"

// indexSlots is how many last-change positions an index keeps, unless it is told
// otherwise: 512 KB. Tags that share a slot only invalidate each other; 10,000
// changes since a fact was made spoil about one in seven by accident, and a fact
// seldom lives that long beside such a write rate.
const indexSlots = 1 << 16

// Index knows the position of the last change of every tag. Readers take no
// lock. There is one writer of commits, which calls, in this order: [Index.Bump]
// before its COMMIT, [Index.Publish] after it, and only then answers its callers.
// Or there are many, who use [Index.Begin] and [Index.Commit]: see pending.go. Or
// it is told of all commits by a stream: see stream.go.
//
// Why this order is right: a reader that can see a
// commit finds its tags bumped already, so no fact older than what somebody
// has seen passes [Index.Valid]; and a fill stamped with [Index.Frontier]
// before its snapshot was opened holds at least what its stamp promises.
type Index struct {
	slots    []atomic.Uint64
	mask     Tag           // of a tag, which slot is its
	frontier atomic.Uint64 // every commit up to here is known, and but for a stream visible
	base     atomic.Uint64 // nothing is known of changes before this
	every    atomic.Uint64 // the last change of more than can be named: of every tag

	// How many commits that were begun and not settled change a slot's tags; nil
	// where a stream tells of commits.
	pending []atomic.Int32

	epoch  Epoch
	origin uint64
	// instance is the run of the primary by whose log the index was made.
	instance uint64
	lease    atomic.Pointer[lease] // until when it may be believed; nil: it may not
	stream
}

// NewIndex is an index that starts at n: facts of before are not trusted.
func NewIndex(n N) *Index {
	x := newIndex(n, indexSlots)
	x.pending = make([]atomic.Int32, indexSlots)
	x.lease.Store(forever)
	return x
}

func newIndex(n N, slots int) *Index {
	x := &Index{slots: make([]atomic.Uint64, slots), mask: Tag(slots - 1)}
	x.frontier.Store(uint64(n))
	x.base.Store(uint64(n))
	return x
}

// Bump notes that commit n, about to be made, changes tags. A commit that fails
// afterwards leaves its bumps: they cost hits and nothing else.
func (x *Index) Bump(n N, tags []Tag) {
	for _, t := range tags {
		raise(&x.slots[t&x.mask], n)
	}
}

// BumpAll is Bump for a commit that changes more than can be named.
func (x *Index) BumpAll(n N) { raise(&x.every, n) }

// raise makes v at least n.
func raise(v *atomic.Uint64, n N) {
	for old := v.Load(); old < uint64(n); old = v.Load() {
		if v.CompareAndSwap(old, uint64(n)) {
			return
		}
	}
}

// Publish says that commit n is visible to every snapshot opened from now on.
func (x *Index) Publish(n N) { raise(&x.frontier, n) }

// Forget makes every fact stamped below n invalid: something changed that the
// index was not told about. n must be above every stamp handed out so far, and
// is published with it.
func (x *Index) Forget(n N) {
	raise(&x.base, n)
	x.Publish(n)
}

// Frontier is the stamp for a snapshot that is about to be opened.
func (x *Index) Frontier() N { return N(x.frontier.Load()) }

// Valid tells whether a fact made from tags and stamped s still holds. While a
// change of a tag is pending, nobody knows.
func (x *Index) Valid(s N, tags []Tag) bool {
	if uint64(s) < x.base.Load() || uint64(s) < x.every.Load() {
		return false
	}
	for _, t := range tags {
		// Pending first: a commit is raised to its position before it is settled.
		if x.isPending(t) || x.slots[t&x.mask].Load() > uint64(s) {
			return false
		}
	}
	return true
}

// isPending tells whether a commit that changes t was begun and not settled.
func (x *Index) isPending(t Tag) bool {
	return x.pending != nil && x.pending[t&x.mask].Load() > 0
}
