package lb

import (
	"context"
	"time"
)

// waitFor is what the fast path waits for at an upstream.
type waitFor uint8

const (
	waitNot  waitFor = iota
	waitHead         // the header of an answer
	waitBody         // more of its body
)

// The fast path sets no timers. Whoever waits longer than usual is poked by a sweep: an
// answer that does not come is left to the slow path, which can hedge and notices when
// the client goes; between two pieces of a body, the fast path looks for that itself.
const (
	fastSweep    = 5 * time.Millisecond
	fastPatience = 50 * time.Millisecond // with an answer's header, or less where hedges begin sooner
	fastGoneLook = 500 * time.Millisecond
)

// past is a deadline that has been missed.
var past = time.Unix(1, 0)

// waits says what the fast path waits for from now on.
func (c *upconn) waits(what waitFor, now time.Time) {
	c.mu.Lock()
	c.wait, c.since = what, now
	c.unpoke()
	c.mu.Unlock()
}

// unpoke takes the effect of a poke away. The caller holds mu.
func (c *upconn) unpoke() {
	if c.poked {
		c.poked = false
		_ = c.nc.SetReadDeadline(time.Time{}) // one that is closed says so when it is read
	}
}

// waited ends the waiting, and tells whether nobody has aborted c.
func (c *upconn) waited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait = waitNot
	c.unpoke()
	return c.cause == nil
}

// poke wakes up who waits longer than usual.
func (c *upconn) poke(now time.Time, patience time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wait == waitBody {
		patience = fastGoneLook
	}
	if c.wait != waitNot && !c.poked && now.Sub(c.since) > patience {
		c.poked = true
		_ = c.nc.SetReadDeadline(past)
	}
}

// sweep pokes until ctx ends.
func (b *Balancer) sweep(ctx context.Context) {
	tick := time.NewTicker(fastSweep)
	defer tick.Stop()
	often := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		busy := b.inflight.Load() > 0
		if busy != often {
			often = busy
			tick.Reset(map[bool]time.Duration{true: fastSweep, false: tickEvery}[often])
		}
		if !busy {
			continue
		}
		now := time.Now()
		patience := fastPatience
		if after := time.Duration(b.hedgeAfter.Load()); after > 0 {
			patience = min(patience, after)
		}
		for _, m := range b.roster.Load().all {
			m.poke(now, patience)
		}
		for _, m := range b.stillBusy() {
			m.poke(now, patience)
		}
	}
}

func (m *member) poke(now time.Time, patience time.Duration) {
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	for c := range m.pool.active {
		c.poke(now, patience)
	}
}
