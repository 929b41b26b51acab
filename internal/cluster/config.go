package cluster

import (
	"context"
	"log/slog"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// Config is what a [Node] is made of.
type Config struct {
	// Clock is given its indexes by the node. The first should be one without a lease.
	Clock    *position.Clock
	Registry Registry
	Database Log
	// Self is this server. The node numbers no beats in it.
	Self Member
	// Transport reaches the other members; nil: there are none. The node closes it.
	Transport Transport

	// Apply is told of commits, in order, before this server counts as knowing of
	// them: whoever keeps a catalog reads it again if an entry says so. Where
	// something may have been missed, it gets one entry that says All, Catalog and
	// Unlisted. If it fails the server follows no further, and tries again.
	Apply func(ctx context.Context, entries []changes.Entry) error
	// Deliver is told of commits, in order, once every server with a lease knows of
	// them, and by the log of which run of the primary. It must not block. Where
	// something may have been missed, it gets one entry that says All, Catalog and
	// Unlisted, and Gap unless all that was missed comes again.
	Deliver func(by position.Run, e changes.Entry)
	// Restored is called when the primary is of a known epoch, but an older copy of
	// it: its log ends at flush and had been at seen. The store raises the
	// incarnation, which is part of the epoch. It is called again if it fails.
	Restored func(ctx context.Context, e position.Epoch, seen, flush position.N) error

	// Load is how much this server has to do, from 0 to 1; nil: nothing is known.
	Load func() float64

	Log *slog.Logger

	Slots int // of an index, a power of two; 0: 2^21

	Lease    time.Duration // L: how long a server believes what it was told; 0: 500 ms
	Margin   time.Duration // how far the clocks of two servers may drift apart in that time; 0: 50 ms
	Tick     time.Duration // how often a batch is sent when there is nothing to send; 0: 20 ms
	Renew    time.Duration // how often the tailer renews its row; 0: 100 ms
	Deadline time.Duration // D: for how long a renewal counts; 0: 400 ms
	Beat     time.Duration // how often a member renews its row; 0: 1 s
	Look     time.Duration // how often it reads the others' while load balancers wait for changes; 0: 250 ms
	Keep     time.Duration // for how long entries are kept; 0: 10 s

	// KeepBytes is how much of the log is kept at most, but for what is not safe yet; 0:
	// 64 MB. Who reads in reserve does not keep more than four times that of it either.
	KeepBytes int

	// BootTime is [position.BootTime], but in tests.
	BootTime func() int64
	grant    func(x *position.Index, until int64)
}

func (c *Config) complete() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Apply == nil {
		c.Apply = func(context.Context, []changes.Entry) error { return nil }
	}
	if c.Deliver == nil {
		c.Deliver = func(position.Run, changes.Entry) {}
	}
	if c.Load == nil {
		c.Load = func() float64 { return 0 }
	}
	if c.BootTime == nil {
		c.BootTime = position.BootTime
	}
	if c.grant == nil {
		c.grant = c.Clock.Grant
	}
	if c.Slots == 0 {
		c.Slots = 1 << 21
	}
	if c.KeepBytes == 0 {
		c.KeepBytes = keptBytes
	}
	c.Self.Format = int(formatNewest)
	for d, value := range map[*time.Duration]time.Duration{
		&c.Lease:    500 * time.Millisecond,
		&c.Margin:   50 * time.Millisecond,
		&c.Tick:     20 * time.Millisecond,
		&c.Renew:    100 * time.Millisecond,
		&c.Deadline: 400 * time.Millisecond,
		&c.Beat:     time.Second,
		&c.Look:     250 * time.Millisecond,
		&c.Keep:     10 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
}

// fresh is for how long a beat of a member's own row lets it take leases: whoever
// becomes the tailer waits only for those who are registered, and a row is removed
// when it has stood still for dead.
func (c *Config) fresh() time.Duration { return 3 * c.Beat }

// dead is when a row is removed that nobody renews.
func (c *Config) dead() time.Duration { return 60 * c.Beat }

// silence is for how long a connection carries nothing before it is taken for dead:
// batches and acks are sent all the time.
func (c *Config) silence() time.Duration { return 2 * c.Beat }

// shunned is for how long a tailer waits for any of the others, if there are some.
func (c *Config) shunned() time.Duration { return 5 * c.Beat }

// lag is how late a member's acks may be for it to be given leases. Below the lease,
// so that one that is late for a moment has one all the while.
func (c *Config) lag() int64 { return int64(c.Lease) / 5 }
