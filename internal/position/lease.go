package position

import (
	"math"
	"time"

	"github.com/pandobase/pando/internal/mutant"
)

// lease is until when an index may be taken for the newest.
//
// What decides is [BootTime]. To ask for it is a call of the kernel, ten times as
// long as all the rest of a look at a fact; Go's own clocks are not, but stand still
// while the machine sleeps, or can be set. So these are looked at, and BootTime only
// if they disagree: who has slept finds that the time of day has moved on and the
// monotonic clock has not.
type lease struct {
	until  int64         // BootTime
	mono   time.Duration // the same by the monotonic clock
	offset int64         // by how much the time of day was ahead of that one, nanoseconds
}

// disagree is by how much the clocks may differ from what they did; less than the
// margin that others wait after the end of a lease.
const disagree = int64(20 * time.Millisecond)

// forever is a lease without an end: nobody else writes.
var forever = &lease{until: math.MaxInt64}

var began = time.Now()

func clocks() (mono time.Duration, offset int64) {
	now := time.Now()
	mono = now.Sub(began)
	return mono, now.UnixNano() - int64(mono)
}

// grant raises the lease.
//
// It tells whether there may be somebody who has found none before: the one that was
// there has ended by now, perhaps since the caller looked.
func (x *Index) grant(until int64) (begins bool) {
	mono, offset := clocks()
	l := &lease{until: until, mono: mono + time.Duration(until-BootTime()), offset: offset}
	for {
		old := x.lease.Load()
		if old != nil && old.until >= until {
			return false
		}
		if x.lease.CompareAndSwap(old, l) {
			now, _ := clocks() // which is what Leased goes by
			return old == nil || old.until <= BootTime() || old.mono <= now
		}
	}
}

// Leased tells whether what the index knows may be taken for the newest, now.
func (x *Index) Leased() bool {
	l := x.lease.Load()
	if l == nil || l == forever || mutant.NoLease {
		return l != nil
	}
	mono, offset := clocks()
	if d := offset - l.offset; d > disagree || d < -disagree {
		return BootTime() < l.until
	}
	return mono < l.mono
}

// Lease is until when it may: a BootTime, 0 if there was no lease yet.
func (x *Index) Lease() int64 {
	if l := x.lease.Load(); l != nil {
		return l.until
	}
	return 0
}
