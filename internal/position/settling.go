package position

import (
	"slices"
	"sort"
	"time"
)

// settling are the commits that this server knows of and that S has not reached yet,
// behind the last ones that it has. Mostly that takes a moment. But while a standby that
// must confirm commits stands still, they are in the log, replicas show them and the
// primary does not; then S stays below them, and with it all that hangs on them. What the
// primary shows of the same records meanwhile is what it was before, and nobody was shown
// more than that: see [Index.Shown].
type settling struct {
	list []commit // by n
	bare int      // how many of them, from the first, have no tags: each may have changed anything
	tags int      // of the others, together
	over int      // how many, from the first, S has reached
	lost N        // up to here some are not in list: there were too many
}

type commit struct {
	n    N
	xid  uint64
	at   int64 // BootTime when it was heard of
	tags []Tag
	all  bool
}

const (
	commitsMost  = 1 << 16 // how many are kept
	settlingMost = 1 << 14 // of them, with tags
	settledMost  = 1 << 12 // of these, settled
	tagsMost     = 1 << 19 // of all of these
)

func (o *settling) add(c commit) {
	if len(o.list) > 0 && c.n <= o.list[len(o.list)-1].n {
		return // it comes again
	}
	if len(o.list) == commitsMost {
		o.drop(commitsMost / 16)
	}
	o.list = append(o.list, c)
	o.tags += len(c.tags)
	for len(o.list)-o.bare > settlingMost || o.tags > tagsMost {
		o.strip()
	}
}

// strip takes the tags of the first that has any.
func (o *settling) strip() {
	c := &o.list[o.bare]
	o.tags -= len(c.tags)
	c.tags, c.all = nil, true
	o.bare++
}

func (o *settling) settle(s N) {
	for o.over < len(o.list) && o.list[o.over].n <= s {
		o.over++
	}
	for o.over-o.bare > settledMost {
		o.strip()
	}
}

func (o *settling) drop(count int) {
	for o.bare < count {
		o.strip()
	}
	o.lost = o.list[count-1].n
	o.list = append([]commit(nil), o.list[count:]...)
	o.over, o.bare = max(0, o.over-count), o.bare-count
}

// open are those that S has not reached.
func (o *settling) open() []commit { return o.list[o.over:] }

// between are those beyond s, up to u.
func (o *settling) between(s, u N) []commit {
	from := sort.Search(len(o.list), func(i int) bool { return o.list[i].n > s })
	to := sort.Search(len(o.list), func(i int) bool { return o.list[i].n > u })
	return o.list[from:max(from, to)]
}

// stuckAfter is when a commit has not been settled for so long that it will not be in
// a moment: nanoseconds.
const stuckAfter = int64(100e6)

// Stuck tells whether S has stood still for a while below a commit that is known.
func (x *Index) Stuck() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	open := x.open.open()
	return len(open) > 0 && BootTime()-open[0].at > stuckAfter
}

// Shown is the last commit beyond S, and up to u, that changed one of tags and can be
// seen: what S must have reached before something may be answered that the primary
// has shown in a snapshot in which seen tells which transactions can be seen. 0: there
// is none. ok is false if that is not known. Every commit up to u must be known.
//
// Nothing that was answered to anybody can be missing in such a snapshot, if it was
// taken after the request began: S is never beyond what the primary shows.
func (x *Index) Shown(seen func(xid uint64) bool, u N, tags []Tag) (n N, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open.lost > x.Safe() {
		return 0, false
	}
	for _, c := range x.open.open() {
		if c.n <= u && x.touches(c, tags) && seen(c.xid) {
			n = c.n
		}
	}
	return n, true
}

// Torn tells whether a snapshot of the primary that holds every commit up to s, and none
// beyond u, shows of two commits that changed one of tags the later one alone. A primary
// shows commits in the order in which their sessions go on, which is not that of its log
// and of its replicas: in two such answers, each could have what the other lacks. Every
// commit up to u must be known; ok is false if it is not.
func (x *Index) Torn(seen func(xid uint64) bool, s, u N, tags []Tag) (torn, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open.lost > s {
		return false, false
	}
	lacks := false
	for _, c := range x.open.between(s, u) {
		switch {
		case !x.touches(c, tags):
		case !seen(c.xid):
			lacks = true
		case lacks:
			return true, true
		}
	}
	return false, true
}

// touches tells whether c changed one of tags, or one that shares its slot.
func (x *Index) touches(c commit, tags []Tag) bool {
	if c.all {
		return true
	}
	for _, t := range tags {
		if t&x.mask == AllTag&x.mask {
			return true
		}
		for _, u := range c.tags {
			if t&x.mask == u&x.mask {
				return true
			}
		}
	}
	return false
}

// Commit is one that an index remembers.
type Commit struct {
	N   N
	XID uint64
	Ago time.Duration // since it was heard of
}

// Heard lists the last commits, most at most, that changed one of tags, or what shares its
// slot. What commits changed is remembered of those from since on; 0: of none.
func (x *Index) Heard(tags []Tag, most int) (list []Commit, since N) {
	x.mu.Lock()
	defer x.mu.Unlock()
	known, now := x.open.list[x.open.bare:], BootTime()
	for i := len(known) - 1; i >= 0 && len(list) < most; i-- {
		if c := known[i]; x.touches(c, tags) {
			list = append(list, Commit{c.n, c.xid, time.Duration(now - c.at)})
		}
	}
	slices.Reverse(list)
	if len(known) > 0 {
		since = known[0].n
	}
	return list, since
}
