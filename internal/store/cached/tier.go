package cached

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

// tier is the second level: what the servers of a cluster share. Only who leads
// the fill of a key asks it, so each server asks once per key at a time:
//
//	Get ── holds? ── yes ─────────────────────────────▶ into the memory, served
//	         │ no
//	       Claim ── holds? ── yes ────────────────────▶ the same
//	         │ │
//	         │ └── somebody else fills ──▶ a short wait, and Claim again
//	         └── mine, or waited enough ──▶ fill ──▶ Put
//
// What it gives is judged here like what the memory gives. Nothing rests on a
// claim: two servers that fill one key at once only ask the database twice.
type tier struct {
	cache.Tier
	clock  *position.Clock
	codec  cache.Codec
	labels *labels
	cost   atomic.Int64 // of a fill, ns, smoothed

	mu       sync.Mutex
	fleeting map[uint64]bool // hashes of keys whose values could not be kept
	from     time.Time       // of the first of these
}

// All are forgotten when there are so many, or the first is so old: a list can become
// shorter, and what a view reads can be found out.
const (
	maxFleeting = 4096
	fleetingFor = time.Minute
)

// fetch is a fact that holds, or nil: then the caller fills, and calls give or
// giveNot. outdated tells that the memory has a fact that does not hold any more.
func (t *tier) fetch(ctx context.Context, key string, outdated bool) (*cache.Fact, error) {
	l := t.asks(key)
	if l == nil {
		return nil, nil
	}
	began := time.Now()
	// Not the index that the request began with: those who wait for this call take
	// what it finds, and may have come after that one's lease had ended.
	x, err := t.clock.Ready(ctx)
	if err != nil {
		return nil, err
	}
	name := nameOf(x, key)
	var e *cache.Entry
	mine := false
	// Without a lease nothing can be filled for others: they need not wait for it.
	claims := !t.clock.Degraded(x)
	if outdated && claims { // so it probably is there, too: ask for both at once
		e, mine = t.Claim(ctx, x.Epoch(), name)
	} else {
		e = t.Get(ctx, x.Epoch(), name)
	}
	fact, found := t.judge(ctx, x, key, e)
	switch {
	case fact != nil:
		l.hits.Add(1)
	case found:
		l.stale.Add(1)
	default:
		l.misses.Add(1)
	}
	t.labels.weigh(l)
	switch {
	case fact != nil && mine:
		t.Release(x.Epoch(), name)
	case fact == nil && !mine && claims:
		if fact = t.claim(ctx, x, key, name); fact != nil {
			l.awaited.Add(1)
		}
	}
	if err := ctx.Err(); err != nil {
		if fact == nil {
			t.giveNot(x, key, false)
		}
		return nil, err
	}
	if fact != nil {
		// Another server may have heard of a greater S, by which it was released.
		t.clock.Show(x, position.Token{Timeline: x.Epoch().Timeline, N: x.Covers(fact.Tags)})
		fact.Made = cache.MadeNow(cache.FromTier, 0, time.Since(began))
	}
	return fact, nil
}

// nameOf is the key as the tier has it. What was put by judgement of an index of
// another origin is not even looked at.
func nameOf(x *position.Index, key string) []byte {
	return append(binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(key)), x.Origin()), key...)
}

// asks is the label of a key whose facts are in the tier, else nil.
func (t *tier) asks(key string) *label {
	name, ok := t.codec.Label([]byte(key))
	if !ok {
		return nil
	}
	l := t.labels.of(name)
	if l.isShut() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fleeting[xxhash.Sum64String(key)] {
		return nil
	}
	return l
}

// claim waits while somebody else fills key; nil: it is for the caller to fill.
func (t *tier) claim(ctx context.Context, x *position.Index, key string, name []byte) *cache.Fact {
	// Not much longer than the database would take.
	until := time.Now().Add(min(cache.FillLock, 5*time.Millisecond+4*time.Duration(t.cost.Load())))
	for pause := time.Millisecond; ; pause = min(2*pause, 8*time.Millisecond) {
		e, mine := t.Claim(ctx, x.Epoch(), name)
		if fact, _ := t.judge(ctx, x, key, e); fact != nil {
			if mine {
				t.Release(x.Epoch(), name)
			}
			return fact
		}
		if mine || time.Now().Add(pause).After(until) {
			return nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// judge makes a fact of e if it holds and is as new as it has to be; found tells that there was one.
func (t *tier) judge(ctx context.Context, x *position.Index, key string, e *cache.Entry) (fact *cache.Fact, found bool) {
	if e == nil {
		return nil, false
	}
	fact = &cache.Fact{Key: key, S: e.S, Epoch: e.Epoch, Tags: e.Tags, Search: e.Search}
	if !x.Leased() && fact.S > x.Frontier() { // nobody knows here what it holds
		return nil, true
	}
	if !asNew(t.clock, position.SessionOf(ctx), x, fact) || !holds(x, fact) {
		return nil, true
	}
	var err error
	if fact.Value, fact.Size, err = t.codec.Decode(e.Value); err != nil {
		return nil, true
	}
	return fact, true
}

// give puts what was filled into the tier. x is the index that was in force when the
// fill began: if it is not any more, nobody would believe the fact.
func (t *tier) give(x *position.Index, fact *cache.Fact, took time.Duration) {
	smooth(&t.cost, took)
	if t.asks(fact.Key) == nil || x != t.clock.Index() {
		return
	}
	if !holds(x, fact) { // it has changed since, and perhaps holds that change
		t.giveNot(x, fact.Key, false)
		return
	}
	if value, ok := t.codec.Encode(fact.Value); ok {
		t.Put(&cache.Entry{
			Key: string(nameOf(x, fact.Key)), Epoch: fact.Epoch, S: fact.S, Tags: fact.Tags, Search: fact.Search, Value: value, Took: took,
		})
		if len(value) <= cache.MaxEntry { // else it was counted, and not kept
			return
		}
	}
	t.giveNot(x, fact.Key, true)
}

// giveNot ends a claim: nothing could be filled, or what was may never be kept, so
// that there is no use in asking.
func (t *tier) giveNot(x *position.Index, key string, never bool) {
	if t.asks(key) == nil {
		return
	}
	t.Release(x.Epoch(), nameOf(x, key))
	if !never {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); len(t.fleeting) >= maxFleeting || now.Sub(t.from) > fleetingFor {
		clear(t.fleeting)
		t.from = now
	}
	t.fleeting[xxhash.Sum64String(key)] = true
}

// smooth moves an average a sixteenth of the way.
func smooth(v *atomic.Int64, d time.Duration) {
	old := v.Load()
	if old == 0 {
		v.Store(int64(d))
		return
	}
	v.Store(old + (int64(d)-old)/16)
}
