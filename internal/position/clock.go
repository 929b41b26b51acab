package position

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
)

// Clock holds the present index. Where no stream tells of commits, that is one for
// ever. A request takes it once, and begins anew if it is not the present one any
// more when it ends.
type Clock struct {
	index atomic.Pointer[Index]
	wait  time.Duration // how long a read waits for a lease

	// degraded is since when there is no primary, and reads go on with what was
	// known last: a BootTime; 0: there is one.
	degraded atomic.Int64
	turns    atomic.Uint64 // how often that has begun
	// shown is how far answers of this server went beyond the S of its index, nil if
	// none did: no later one that is given without a lease may be older.
	shown atomic.Pointer[Shown]

	mu      sync.Mutex
	changed chan struct{} // closed when an index or a lease is there that was not
}

// Shown is how far answers went that were given by the index of a run. Up to Blind nobody
// knows what they were of, beyond the index does.
type Shown struct {
	Token
	Blind N
	// Ahead is the last timeline of which a replica has shown some of it, which can show what the
	// primary of that timeline has on its disk and does not show yet; 0: none has.
	Ahead uint32
	by    Run
}

// NewClock is a clock of x. A read waits up to wait for an index with a lease.
func NewClock(x *Index, wait time.Duration) *Clock {
	c := &Clock{wait: wait, changed: make(chan struct{})}
	c.index.Store(x)
	return c
}

// Index is the present index.
func (c *Clock) Index() *Index { return c.index.Load() }

// Replace makes x the present index, and retires the one before.
func (c *Clock) Replace(x *Index) {
	if old := c.index.Load(); old != nil && old.Streamed() && old.Lease() != 0 {
		c.note(old, Shown{Token: Token{old.epoch.Timeline, old.Safe()}, Blind: old.Safe()}) // the S of x may be further back
	}
	old := c.index.Swap(x)
	c.tell()
	if old != nil && old != x && old.retired != nil {
		close(old.retired)
	}
}

// Grant extends the lease of x until a BootTime, and tells those who wait for one.
func (c *Clock) Grant(x *Index, until int64) {
	if x.grant(until) {
		c.tell()
	}
}

// shows tells whether the S of x is enough to show nothing older than s. What is left of
// another run of the primary lies before what the index began with, which its S has reached
// if it had a lease.
func (x *Index) shows(s Shown) bool {
	line := x.epoch.Timeline
	if line == s.Timeline && (s.by == x.Run() || s.by.Timeline != line) {
		return x.Safe() >= s.N
	}
	return line >= s.Timeline && x.Lease() != 0
}

func (c *Clock) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Ready is the present index, with a lease: it is waited for, but not for ever.
// The error is of KindUnavailable.
func (c *Clock) Ready(ctx context.Context) (*Index, error) {
	if x := c.index.Load(); x.Leased() || c.suffices(ctx, x) || mutant.Unleased && x.Lease() != 0 {
		return x, nil
	}
	return c.awaitLease(ctx)
}

// suffices tells whether a request goes by x though that has no lease.
func (c *Clock) suffices(ctx context.Context, x *Index) bool {
	return c.Degraded(x) && !NeedsLease(ctx)
}

// AwaitChange waits until there is another index, or a lease where there was none;
// false if ctx ends before.
func (c *Clock) AwaitChange(ctx context.Context) bool {
	c.mu.Lock()
	changed := c.changed
	c.mu.Unlock()
	if c.index.Load().Leased() {
		return true
	}
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// Await waits until x is not the present index any more; false if ctx ends before.
func (c *Clock) Await(ctx context.Context, x *Index) bool {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if c.index.Load() != x {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Degrade says that there is no primary for now. Nobody can be answered a write,
// so reads go on without a lease, with what was known last, and say how old that
// may be.
func (c *Clock) Degrade(on bool) {
	switch {
	case mutant.Zombie: // any primary that answers is one
	case !on:
		c.degraded.Store(0)
	case c.degraded.CompareAndSwap(0, BootTime()):
		c.turns.Add(1)
		c.tell()
	}
}

// Degraded tells whether x is to be gone by without a lease. One that never had one
// may not know what this server has answered before.
func (c *Clock) Degraded(x *Index) bool {
	return c.degraded.Load() != 0 && x.Lease() != 0 && !x.Leased()
}

// Turns counts how often Degrade has begun: what was read before and after the same
// number, while Age was 0, was read with a lease.
func (c *Clock) Turns() uint64 { return c.turns.Load() }

// Show notes that an answer of this server by x goes as far as t, though S has perhaps not
// come so far: a read without a lease, a write that was not waited for any longer, or what
// another server knew to be released.
func (c *Clock) Show(x *Index, t Token) { c.show(x, Shown{Token: t, Blind: t.N}) }

// ShowAhead is Show for what a replica has shown.
func (c *Clock) ShowAhead(x *Index, t Token) {
	c.show(x, Shown{Token: t, Blind: t.N, Ahead: t.Timeline})
}

// ShowOf is Show for an answer of which it is known that it was of tags, or of all.
func (c *Clock) ShowOf(x *Index, t Token, tags []Tag, all bool) {
	if t.Timeline != x.epoch.Timeline {
		c.Show(x, t)
		return
	}
	if x.Bump(t.N, tags); all {
		x.BumpAll(t.N)
	}
	c.show(x, Shown{Token: t})
}

func (c *Clock) show(x *Index, s Shown) {
	s.by = x.Run()
	if now := c.index.Load(); !x.shows(s) && (now == x || !now.shows(s)) {
		c.note(x, s)
	}
}

func (c *Clock) note(x *Index, more Shown) {
	more.by = x.Run()
	for {
		s, old := more, c.shown.Load()
		if old != nil && !x.shows(*old) { // a replica on a later timeline may not be as far
			s.Timeline, s.N, s.Blind = max(s.Timeline, old.Timeline), max(s.N, old.N), max(s.Blind, old.Blind)
			s.Ahead = max(s.Ahead, old.Ahead)
		}
		if old != nil && s == *old || c.shown.CompareAndSwap(old, &s) {
			return
		}
	}
}

// Shown is how far such answers went, as far as the S of x does not say so: the next
// without a lease must not be older. The zero Shown: no farther.
func (c *Clock) Shown(x *Index) Shown {
	if s := c.shown.Load(); s != nil && !x.shows(*s) {
		return *s
	}
	return Shown{}
}

// Age is for how long answers may lack what others know: 0 unless there is no
// primary.
func (c *Clock) Age() time.Duration {
	since := c.degraded.Load()
	if since == 0 {
		return 0
	}
	if lease := c.index.Load().Lease(); lease != 0 {
		since = min(since, lease)
	}
	return time.Duration(max(BootTime()-since, 1))
}

func (c *Clock) awaitLease(ctx context.Context) (*Index, error) {
	wait := c.wait
	if d := leaseWait(ctx); d > 0 {
		wait = d
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if x := c.index.Load(); x.Leased() || c.suffices(ctx, x) {
			return x, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			if x := c.index.Load(); x.Leased() {
				return x, nil
			}
			return nil, &pando.Error{
				Kind:    pando.KindUnavailable,
				Message: "This server does not hear of changes to the database at the moment. Please try again in a moment.",
			}
		}
	}
}
