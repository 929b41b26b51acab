package cached

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// shadow reads again what hits answered, beside the requests, and compares.
//
//	hit: the fact held             ─┐
//	re-read: a snapshot, the value  ├─▶ the values are equal, or the cache has lied
//	the fact holds still           ─┘
//
// Whatever the re-read saw, the index knows of by the time that Store.Read
// returns. So if it says then that the fact still holds, nothing that the fact
// was made from has changed between the two snapshots. If it does not, the check
// says nothing.
type shadow struct {
	facts  *Facts
	codec  cache.Codec
	every  uint64
	log    *slog.Logger
	queue  chan check
	cancel context.CancelFunc
	done   chan struct{}

	history history

	checks, violations, moved, skipped atomic.Uint64
}

// check is a hit that is to be read again.
type check struct {
	x    *position.Index
	fact *cache.Fact
	fill store.Fill
	one  bool // store.One was said
	tier bool // it came from the tier just now
	at   time.Time
}

const (
	maxShadows = 16 // hits that wait to be read again; more are not
	shadowWait = 10 * time.Second

	foreignWait = 300 * time.Millisecond
)

func newShadow(f *Facts, o Options) *shadow {
	ctx, cancel := context.WithCancel(context.Background())
	s := &shadow{
		facts: f, codec: o.Codec, every: uint64(o.ShadowEvery), log: o.Log,
		queue: make(chan check, maxShadows), cancel: cancel, done: make(chan struct{}),
	}
	go s.run(ctx)
	return s
}

func (s *shadow) close() {
	s.cancel()
	<-s.done
}

// take queues a hit, or lets it be: requests do not wait for it.
func (s *shadow) take(ctx context.Context, x *position.Index, fact *cache.Fact, fill store.Fill, tier bool) {
	if _, ok := s.codec.Encode(fact.Value); !ok {
		return // what has no bytes cannot be compared
	}
	select {
	case s.queue <- check{x, fact, fill, store.IsOne(ctx), tier, time.Now()}:
	default:
		s.skipped.Add(1)
	}
}

func (s *shadow) run(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-s.queue:
			s.look(ctx, c)
		}
	}
}

func (s *shadow) look(ctx context.Context, c check) {
	ctx, cancel := context.WithTimeout(ctx, shadowWait)
	defer cancel()
	if c.one {
		ctx = store.One(ctx)
	}
	var value any
	var again reread
	ofView := false
	err := s.facts.store.Read(ctx, func(r store.Reader) error {
		deps := newRecorder(r)
		var err error
		value, _, err = c.fill(ctx, deps)
		again = reread{stamp: r.Stamp(), tags: deps.tags()}
		again.from, again.host = siteOf(r)
		ofView = deps.all || len(deps.views) > 0
		return err
	})
	// After the read: whatever it saw is in the index by now.
	// Unless it had no lease: such a read waits for nothing.
	if err != nil || s.facts.clock.Index() != c.x || !holds(c.x, c.fact) || again.stamp == 0 && c.x.Streamed() {
		s.moved.Add(1)
		return
	}
	was, ok1 := s.codec.Encode(c.fact.Value)
	is, ok2 := s.codec.Encode(value)
	if !ok1 || !ok2 {
		s.moved.Add(1)
		return
	}
	if ofView { // it need not have an order, and then has another one each time
		s.moved.Add(1)
		return
	}
	s.checks.Add(1)
	if bytes.Equal(was, is) || s.foreign(ctx, c) {
		return
	}
	s.tell(c, was, is, again)
	s.violations.Add(1)
}

// foreign tells whether another program wrote to the file of the database: of such
// a change the index learns a tenth of a second later, and says so in its contract.
func (s *shadow) foreign(ctx context.Context, c check) bool {
	if c.x.Streamed() {
		return false
	}
	timer := time.NewTimer(foreignWait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return !holds(c.x, c.fact)
}

// ShadowCounts is what came of reading hits again.
type ShadowCounts struct {
	Checks     uint64 // hits that were read again and compared
	Violations uint64 // of these, that were wrong
	Moved      uint64 // that could not be judged: something had changed meanwhile
	Skipped    uint64 // that were not read again, as too many waited
}

// Bound is the share of wrong answers that there is not more of, at 95 %
// confidence: 3/N after N checks without one. 1 before the first.
func (c ShadowCounts) Bound() float64 {
	if c.Checks == 0 {
		return 1
	}
	v := float64(c.Violations)
	// Exact for none; beyond, the normal approximation of the Poisson bound.
	bound := 3.0
	if v > 0 {
		bound = v + 1.645*math.Sqrt(v) + 2
	}
	return min(1, bound/float64(c.Checks))
}

// Shadows reports them.
func (f *Facts) Shadows() ShadowCounts {
	s := f.shadow
	if s == nil {
		return ShadowCounts{}
	}
	return ShadowCounts{s.checks.Load(), s.violations.Load(), s.moved.Load(), s.skipped.Load()}
}
