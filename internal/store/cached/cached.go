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
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/overload"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Facts reads through a cache. It serves many at once.
type Facts struct {
	store   store.Store
	cache   cache.Cache
	clock   *position.Clock
	flights flights
	labels  *labels // nil: nothing is counted by collection
	tier    *tier   // nil: there is none
	shadow  *shadow // nil: hits are not read again
	views   Views   // nil: where a stream tells of commits, views are not kept

	hits, misses, stale, still, shared, unkept, tiered atomic.Uint64

	hosts hosts
}

// New makes a store.Facts of s and c. clock must be that of the commits of s.
func New(s store.Store, c cache.Cache, clock *position.Clock) *Facts {
	return &Facts{store: s, cache: c, clock: clock, flights: flights{calls: map[string]*call{}}}
}

// Views tells what a fact hangs on that was just made from a view, where a stream tells of
// commits; ok is false if it must not be kept.
type Views func(ctx context.Context, view *pando.Collection) (tags []position.Tag, ok bool)

// UseViews has facts that are made from views be kept, before the first is read.
func (f *Facts) UseViews(v Views) { f.views = v }

// Counts is how reads were answered since the start.
type Counts struct {
	Hits   uint64 // from the cache
	Misses uint64 // by a fill of their own; Stale ones are among them
	Stale  uint64 // found in the cache and judged out of date
	Still  uint64 // of these, found to hold all the same
	Shared uint64 // by somebody else's fill
	Unkept uint64 // fills whose value could not be kept
	Tiered uint64 // neither from memory nor by a fill, but from the tier
}

// Counts reports how reads were answered.
func (f *Facts) Counts() Counts {
	return Counts{f.hits.Load(), f.misses.Load(), f.stale.Load(), f.still.Load(), f.shared.Load(), f.unkept.Load(), f.tiered.Load()}
}

// Read implements store.Facts.
func (f *Facts) Read(ctx context.Context, key []byte, fill store.Fill) (any, error) {
	// The index has a lease now, after the request began, so it knows of every
	// commit that was answered before. What it says of a fact then stays true of
	// that moment, however long this goroutine sleeps.
	x, err := f.clock.Ready(ctx)
	if err != nil {
		return nil, err
	}
	if mutant.Unleased && !x.Leased() {
		return store.Direct{Store: f.store}.Read(ctx, key, fill)
	}
	fact := f.cache.Get(key)
	if fact != nil {
		session := position.SessionOf(ctx)
		if asNew(f.clock, session, x, fact) && holds(x, fact) {
			f.hit(ctx, x, key, fact, fill)
			observe(session, x, fact)
			return fact.Value, nil
		}
		f.stale.Add(1)
	}
	return f.miss(ctx, x, string(key), fact, fill)
}

// hit counts, and has some looked at more closely.
func (f *Facts) hit(ctx context.Context, x *position.Index, key []byte, fact *cache.Fact, fill store.Fill) {
	n := f.hits.Add(1)
	if n%sampled == 0 && f.labels != nil {
		f.labels.sample(key)
	}
	if f.shadow != nil && n%f.shadow.every == 0 {
		f.shadow.take(ctx, x, fact, fill, false)
	}
}

// holds tells whether a fact does, by what x knows.
func holds(x *position.Index, fact *cache.Fact) bool {
	return (fact.Epoch == x.Epoch() || mutant.EpochIgnored) && x.Valid(fact.S, fact.Tags)
}

// asNew tells whether a fact is as new as what was answered before, as far as x says
// nothing of that. Of all that others have answered it knows if it has a lease; what this
// server has answered without one can lie beyond, also when it has one again. And a client
// that keeps positions may have seen what x has not heard of, elsewhere. It is asked before
// [holds]: what x has heard of by then, that judges by.
func asNew(clock *position.Clock, session *position.Session, x *position.Index, fact *cache.Fact) bool {
	need, ok := needed(clock, session, x)
	return ok && (fact.S >= need || x.Frontier() >= need)
}

// needed is how far what is answered must go, as far as x says nothing of that; ok is
// false if nothing that x knows does.
func needed(clock *position.Clock, session *position.Session, x *position.Index) (need position.N, ok bool) {
	if shown := clock.Shown(x); shown.N != 0 {
		if shown.Timeline > x.Epoch().Timeline {
			return 0, false
		}
		need = shown.Blind
	}
	if t, ok := session.Require(); ok && x.Streamed() {
		if t.Timeline > x.Epoch().Timeline {
			return 0, false
		}
		need = max(need, t.N)
	}
	return need, true
}

// miss fills, or waits for somebody who fills the same key. old is what is kept
// under it and out of date, or nil.
func (f *Facts) miss(ctx context.Context, x *position.Index, key string, old *cache.Fact, fill store.Fill) (any, error) {
	// A call that is found under way may have opened its snapshot before this
	// request began, so its result is only taken if the index confirms it. A
	// call found under way after waiting for one began later than this request.
	session := position.SessionOf(ctx)
	for begunLater := false; ; begunLater = true {
		c, mine := f.flights.join(key)
		wanted := c.wanted
		if mine {
			if value, over, err := f.lead(ctx, c, key, old, fill); over {
				return value, err
			}
			wanted = nil
		} else if !overload.Placed(ctx) {
			wanted = nil
		}
		select {
		case <-c.done:
		case <-wanted: // who leads has no place, and this request, which would wait for it, has
			if c.take() {
				return f.make(ctx, c, key, old, fill)
			}
		case <-ctx.Done():
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case c.err == nil:
		case c.left, c.refused && overload.Placed(ctx):
			continue // the client that led has gone away, or got no place: that is its error alone
		case begunLater:
			return nil, c.err
		default:
			continue
		}
		if x != f.clock.Index() { // what is known by now, that one does not hear of
			var err error
			if x, err = f.clock.Ready(ctx); err != nil {
				return nil, err
			}
		}
		noStamp := c.fact.S == 0 && x.Streamed() // it was read without a lease
		good := asNew(f.clock, session, x, c.fact) && holds(x, c.fact)
		if !good && (begunLater || mine) && !noStamp { // its snapshot was opened after this request began
			need, ok := needed(f.clock, session, x)
			good = ok && c.fact.Epoch == x.Epoch() && c.fact.S >= need
		}
		switch {
		case good || mutant.JoinUnjudged:
			f.shared.Add(1)
			observe(session, x, c.fact)
			return c.fact.Value, nil
		case noStamp: // it can only be judged by who has read it: each reads for himself, but not one after the other
			f.missed(key)
			fact, _, err := f.fill(ctx, key, nil, fill)
			if err != nil {
				return nil, err
			}
			return fact.Value, nil
		}
	}
}

// observe notes in the request's session what it was given. A fact that holds is
// as good as a snapshot of now. (The leader of a fill has opened one under its
// own context.)
func observe(session *position.Session, x *position.Index, fact *cache.Fact) {
	switch {
	case session == nil:
	case x.Streamed(): // replicas need not be further than the last change that it holds
		session.Observe(position.Token{Timeline: x.Epoch().Timeline, N: x.Covers(fact.Tags)})
	default:
		session.Observe(position.Token{N: max(fact.S, x.Frontier())})
	}
}

// lead fills for everybody who waits for key, or finds what another server filled. over
// is false if somebody else makes the call instead.
func (f *Facts) lead(ctx context.Context, c *call, key string, old *cache.Fact, fill store.Fill) (value any, over bool, err error) {
	c.err = errPanicked // what the others see if something panics
	mine := true
	defer func() {
		if mine {
			f.flights.leave(key, c)
		}
	}()
	if fact := f.filledMeanwhile(ctx, key, old); fact != nil {
		c.fact, c.err = fact, nil
		return fact.Value, true, nil
	}
	if f.tier != nil {
		fact, err := f.tier.fetch(ctx, key, old != nil)
		if fact != nil || err != nil {
			value, err = f.fetched(ctx, c, fact, err, fill)
			return value, true, err
		}
	}
	if !overload.Placed(ctx) {
		// All places may be held by those who wait for this call.
		close(c.wanted)
		err := overload.Admit(ctx)
		if mine = c.take(); !mine {
			return nil, false, nil
		}
		if c.refused = err != nil; c.refused {
			if f.tier != nil {
				f.tier.giveNot(f.clock.Index(), key, false)
			}
			c.ended(ctx, nil, err)
			return nil, true, err
		}
	}
	mine = false
	value, err = f.make(ctx, c, key, old, fill)
	return value, true, err
}

// make fills for everybody who waits for key.
func (f *Facts) make(ctx context.Context, c *call, key string, old *cache.Fact, fill store.Fill) (any, error) {
	defer f.flights.leave(key, c)
	f.missed(key)
	x, began := f.clock.Index(), time.Now()
	fact, keep, err := f.fill(ctx, key, old, fill)
	mutant.Gap(mutant.JoinUnjudged)
	c.ended(ctx, fact, err)
	took := time.Since(began)
	switch {
	case err != nil:
		if f.tier != nil {
			f.tier.giveNot(x, key, false)
		}
		return nil, err
	case keep == kept:
		f.keep(fact)
		if f.tier != nil {
			f.tier.give(x, fact, took)
		}
	default:
		f.unkept.Add(1)
		if f.tier != nil && keep == never {
			f.tier.giveNot(x, key, true)
		}
	}
	return fact.Value, nil
}

// missed counts a fill.
func (f *Facts) missed(key string) {
	f.misses.Add(1)
	if f.labels != nil {
		f.labels.fill(key)
	}
}

// filledMeanwhile is the fact of somebody whose fill ended between this request's
// look into the cache and its lead; nil if there is none. It is judged by what the
// index knows now, with the call begun, for whoever finds the call under way.
func (f *Facts) filledMeanwhile(ctx context.Context, key string, old *cache.Fact) *cache.Fact {
	fact := f.cache.Get([]byte(key))
	if fact == nil || fact == old {
		return nil
	}
	x, err := f.clock.Ready(ctx)
	session := position.SessionOf(ctx)
	if err != nil || !asNew(f.clock, session, x, fact) || !holds(x, fact) {
		return nil
	}
	f.shared.Add(1)
	observe(session, x, fact)
	return fact
}

// fetched ends a call with what the tier had.
func (f *Facts) fetched(ctx context.Context, c *call, fact *cache.Fact, err error, fill store.Fill) (any, error) {
	c.ended(ctx, fact, err)
	if err != nil {
		return nil, err
	}
	f.keep(fact)
	n, x := f.tiered.Add(1), f.clock.Index()
	if f.shadow != nil && n%f.shadow.every == 0 {
		f.shadow.take(ctx, x, fact, fill, true)
	}
	observe(position.SessionOf(ctx), x, fact)
	return fact.Value, nil
}

// keep puts a fact into the memory.
func (f *Facts) keep(fact *cache.Fact) {
	f.cache.Put(fact)
	if f.shadow != nil {
		f.shadow.history.note(fact)
	}
}

// keeping is what becomes of a fact.
type keeping uint8

const (
	kept   keeping = iota
	notNow         // it was read without a lease: nobody can judge it
	never          // neither are others of its key, for a while
)

// fill makes the fact of key from a snapshot; keep tells whether it may be kept.
func (f *Facts) fill(ctx context.Context, key string, old *cache.Fact, fill store.Fill) (fact *cache.Fact, keep keeping, err error) {
	var views []*pando.Collection
	var from cache.From
	var host string
	began := time.Now()
	err = f.store.Read(ctx, func(r store.Reader) error {
		deps := newRecorder(r)
		views = nil
		deps.same = f.sameAs(ctx, r, old)
		value, size, err := fill(ctx, deps)
		from, host = siteOf(r)
		if deps.still { // whatever the fill made of being stopped
			f.still.Add(1)
			from = cache.FromMemory
			again := *old
			again.S, again.Epoch = r.Stamp(), r.Epoch()
			if mutant.RestampLate {
				mutant.Gap(true)
				again.S = f.clock.Index().Frontier()
			}
			fact, keep = &again, kept
			return nil
		}
		if err != nil {
			return err
		}
		keep = kept
		if size < 0 || deps.moving {
			keep = never
		}
		fact = &cache.Fact{Key: key, Value: value, Size: max(size, 0), S: r.Stamp(), Epoch: r.Epoch(), Tags: deps.tags(), Search: deps.searched()}
		views = deps.views
		return nil
	})
	// By now the index knows of whatever was read, a change of the schema included.
	for _, view := range views {
		if err != nil {
			break
		}
		tags, known := []position.Tag{position.AllTag}, false
		if keep == kept && f.views != nil {
			tags, known = f.views(ctx, view)
		}
		if !known { // who waits for the fact judges it
			tags, keep = []position.Tag{position.AllTag}, never
		}
		fact.Tags = append(fact.Tags, tags...)
	}
	if err == nil {
		fact.Made = cache.MadeNow(from, f.hosts.number(host), time.Since(began))
	}
	if err == nil && keep == kept && fact.S == 0 && f.clock.Index().Streamed() {
		keep = notNow
	}
	return fact, keep, err
}

var errPanicked = errors.New("cached: the fill panicked")
