package cached

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/cache"
)

const (
	weighed   = 1000            // facts that the tier had of a collection, before they are judged together
	shutFor   = 5 * time.Minute // a collection is kept out of the tier
	sampled   = 64              // of so many hits in memory one is looked at, and counts for all
	maxLabels = 10_000          // collections that are counted one by one
)

// labels count by collection.
type labels struct {
	codec cache.Codec
	log   *slog.Logger
	mu    sync.RWMutex
	by    map[string]*label
}

// label is the counts of one collection.
type label struct {
	name                         string
	memory                       atomic.Uint64 // hits, about
	fills                        atomic.Uint64
	hits, stale, misses, awaited atomic.Uint64 // in the tier

	mu                    sync.Mutex
	weighedHits, weighedS uint64       // spared and in vain when it was weighed last
	shut                  atomic.Int64 // until when, a time in ns; 0: it is not
}

func newLabels(codec cache.Codec, log *slog.Logger) *labels {
	return &labels{codec: codec, log: log, by: map[string]*label{}}
}

func (x *labels) of(name string) *label {
	x.mu.RLock()
	l := x.by[name]
	x.mu.RUnlock()
	if l != nil {
		return l
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if l = x.by[name]; l != nil {
		return l
	}
	if len(x.by) >= maxLabels { // collections come and go for years
		clear(x.by)
	}
	l = &label{name: name}
	x.by[name] = l
	return l
}

// sample notes a hit in memory, for sampled of them.
func (x *labels) sample(key []byte) {
	if name, ok := x.codec.Label(key); ok {
		x.of(name).memory.Add(sampled)
	}
}

// fill notes one.
func (x *labels) fill(key string) {
	if name, ok := x.codec.Label([]byte(key)); ok {
		x.of(name).fills.Add(1)
	}
}

func (l *label) isShut() bool {
	until := l.shut.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// weigh keeps a collection out of the tier if most of what is found there of it
// does not hold any more: then it costs round trips and spares nothing.
func (x *labels) weigh(l *label) {
	hits, stale := l.hits.Load(), l.stale.Load()
	if (hits+stale)%16 != 0 { // look seldom
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// What is found a moment later, as another server has filled it, is spared too.
	awaited := l.awaited.Load()
	spared, vain := hits+awaited, stale-min(stale, awaited)
	dh, ds := spared-l.weighedHits, vain-l.weighedS
	if spared < l.weighedHits || vain < l.weighedS || dh+ds < weighed {
		return
	}
	l.weighedHits, l.weighedS = spared, vain
	if ds <= dh {
		return
	}
	l.shut.Store(time.Now().Add(shutFor).UnixNano())
	x.log.Warn("The answers of a collection change too often for the cache servers to be of use: they are kept in this process only for a while.",
		"collection", l.name, "hits", dh, "rejected", ds, "for", shutFor)
}

// LabelCounts is how reads of one collection were answered.
type LabelCounts struct {
	Collection string // its id
	Memory     uint64 // hits in memory, estimated
	Fills      uint64 // times that the database was asked
	Hits       uint64 // in the tier
	Stale      uint64 // found in the tier and judged out of date
	Misses     uint64 // not found in the tier
	Awaited    uint64 // of both, found a moment later, as another server had filled
	Shut       bool   // its facts are not kept in the tier now
}

// Labels reports by collection, in the order of their ids.
func (f *Facts) Labels() []LabelCounts {
	if f.labels == nil {
		return nil
	}
	f.labels.mu.RLock()
	defer f.labels.mu.RUnlock()
	var out []LabelCounts
	for _, l := range f.labels.by {
		out = append(out, LabelCounts{
			l.name, l.memory.Load(), l.fills.Load(), l.hits.Load(), l.stale.Load(), l.misses.Load(), l.awaited.Load(), l.isShut(),
		})
	}
	slices.SortFunc(out, func(a, b LabelCounts) int { return cmp.Compare(a.Collection, b.Collection) })
	return out
}
