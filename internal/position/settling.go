package position

// settling are the commits that this server knows of and that S has not reached yet.
// Mostly that is for a moment. But while a standby that must confirm commits stands
// still, they are in the log, replicas show them and the primary does not; then S
// stays below them, and with it all that hangs on them. What the primary shows of the
// same records meanwhile is what it was before, and nobody was shown more than that:
// see [Index.Shown].
type settling struct {
	list []commit // by n
	lost N        // up to here some are not in list: there were too many
}

type commit struct {
	n    N
	xid  uint64
	at   int64 // BootTime when it was heard of
	tags []Tag
	all  bool
}

// settlingMost is how many are kept.
const settlingMost = 1 << 14

func (o *settling) add(c commit) {
	if len(o.list) > 0 && c.n <= o.list[len(o.list)-1].n {
		return // it comes again
	}
	if len(o.list) == settlingMost {
		o.lost = o.list[0].n
		o.list = o.list[1:]
	}
	o.list = append(o.list, c)
}

func (o *settling) settle(s N) {
	i := 0
	for i < len(o.list) && o.list[i].n <= s {
		i++
	}
	o.list = o.list[i:]
}

// stuckAfter is when a commit has not been settled for so long that it will not be in
// a moment: nanoseconds.
const stuckAfter = int64(100e6)

// Stuck tells whether S has stood still for a while below a commit that is known.
func (x *Index) Stuck() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.open.list) > 0 && BootTime()-x.open.list[0].at > stuckAfter
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
	for _, c := range x.open.list {
		if c.n <= u && x.touches(c, tags) && seen(c.xid) {
			n = c.n
		}
	}
	return n, true
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
