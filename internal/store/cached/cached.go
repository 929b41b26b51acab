// Package cached is a store.Facts that keeps what it reads.
//
// The life of a read:
//
//	Read ── key in cache? ── no ──────────────┐
//	            │ yes                          ▼
//	   Index.Valid(fact)? ── no ──▶ one fill per key at a time:
//	            │ yes                 stamp ▸ snapshot ▸ the same still? ── no ──▶ fill,
//	            │                              │ yes: stamp it anew           reads noted as tags
//	            ▼                              │                              keep if it may be kept
//	          value ◀──────────────────────────┘
//
// A value is served only if the index says, after the request began, that
// nothing it was made from has changed since its stamp; or if its snapshot was
// opened after the request began. Both hold every write that was answered
// before, so no client sees something older than what anybody was answered.
package cached

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Facts reads through a cache. It serves many at once.
type Facts struct {
	store   store.Store
	cache   cache.Cache
	index   *position.Index
	flights flights

	hits, misses, stale, still, shared, unkept atomic.Uint64
}

// New makes a store.Facts of s and c. x must be the index that s bumps.
func New(s store.Store, c cache.Cache, x *position.Index) *Facts {
	return &Facts{store: s, cache: c, index: x, flights: flights{calls: map[string]*call{}}}
}

// Counts is how reads were answered since the start.
type Counts struct {
	Hits   uint64 // from the cache
	Misses uint64 // by a fill of their own; Stale ones are among them
	Stale  uint64 // found in the cache and judged out of date
	Still  uint64 // of these, found to hold all the same
	Shared uint64 // by somebody else's fill
	Unkept uint64 // fills whose value could not be kept
}

// Counts reports how reads were answered.
func (f *Facts) Counts() Counts {
	return Counts{f.hits.Load(), f.misses.Load(), f.stale.Load(), f.still.Load(), f.shared.Load(), f.unkept.Load()}
}

// Read implements store.Facts.
func (f *Facts) Read(ctx context.Context, key []byte, fill store.Fill) (any, error) {
	fact := f.cache.Get(key)
	if fact != nil {
		if f.index.Valid(fact.S, fact.Tags) {
			f.hits.Add(1)
			f.observe(ctx, fact)
			return fact.Value, nil
		}
		f.stale.Add(1)
	}
	return f.miss(ctx, string(key), fact, fill)
}

// miss fills, or waits for somebody who fills the same key. old is what is kept
// under it and out of date, or nil.
func (f *Facts) miss(ctx context.Context, key string, old *cache.Fact, fill store.Fill) (any, error) {
	// A call that is found under way may have opened its snapshot before this
	// request began, so its result is only taken if the index confirms it. A
	// call found under way after waiting for one began later than this request.
	for begunLater := false; ; begunLater = true {
		c, mine := f.flights.join(key)
		if mine {
			return f.lead(ctx, c, key, old, fill)
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if c.err != nil {
			// The leader's client may have gone away; that is its error alone.
			if isContextError(c.err) {
				continue
			}
			if begunLater {
				return nil, c.err
			}
			continue
		}
		if begunLater || mutant.JoinUnjudged || f.index.Valid(c.fact.S, c.fact.Tags) {
			f.shared.Add(1)
			f.observe(ctx, c.fact)
			return c.fact.Value, nil
		}
	}
}

// observe notes in the request's session what it was given. A fact that holds is
// as good as a snapshot of now. (The leader of a fill has opened one under its
// own context.) There are no timelines yet where there is a cache.
func (f *Facts) observe(ctx context.Context, fact *cache.Fact) {
	if session := position.SessionOf(ctx); session != nil {
		session.Observe(position.Token{N: max(fact.S, f.index.Frontier())})
	}
}

// lead fills for everybody who waits for key.
func (f *Facts) lead(ctx context.Context, c *call, key string, old *cache.Fact, fill store.Fill) (any, error) {
	f.misses.Add(1)
	c.err = errPanicked // what the others see if fill panics
	defer f.flights.leave(key, c)

	var fact *cache.Fact
	keep := false
	err := f.store.Read(ctx, func(r store.Reader) error {
		deps := newRecorder(r)
		deps.same = f.sameAs(ctx, r, old)
		value, size, err := fill(ctx, deps)
		if deps.still { // whatever the fill made of being stopped
			f.still.Add(1)
			again := *old
			again.S = r.Stamp()
			fact, keep = &again, true
			return nil
		}
		if err != nil {
			return err
		}
		keep = size >= 0 && !deps.moving
		fact = &cache.Fact{Key: key, Value: value, Size: max(size, 0), S: r.Stamp(), Tags: deps.tags(), Search: deps.searched()}
		return nil
	})
	mutant.Gap(mutant.JoinUnjudged)
	c.fact, c.err = fact, err
	if err != nil {
		return nil, err
	}
	if keep {
		f.cache.Put(fact)
	} else {
		f.unkept.Add(1)
	}
	return fact.Value, nil
}

var errPanicked = errors.New("cached: the fill panicked")

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
