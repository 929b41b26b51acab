// Package memory keeps facts in the process, bounded by bytes, with otter
// (W-TinyLFU): entries that are used often outlive a scan over rare ones.
package memory

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/maypok86/otter/v2"

	"github.com/pandobase/pando/internal/cache"
)

// entryOverhead is what one entry costs besides key, tags and value: the fact,
// otter's node and its share of the table. BenchmarkMemoryPerEntry measures 199 without
// the header of the value.
const entryOverhead = 200

// Cache is a cache.Cache in this process's memory.
type Cache struct {
	facts     *otter.Cache[string, *cache.Fact]
	evictions atomic.Int64
}

// New makes a cache of at most maxBytes bytes, by its own reckoning.
func New(maxBytes int64) (*Cache, error) {
	c := new(Cache)
	facts, err := otter.New(&otter.Options[string, *cache.Fact]{
		MaximumWeight: uint64(max(maxBytes, 1)),
		Weigher:       func(_ string, f *cache.Fact) uint32 { return weight(f) },
		OnDeletion: func(e otter.DeletionEvent[string, *cache.Fact]) {
			if e.WasEvicted() {
				c.evictions.Add(1)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	c.facts = facts
	return c, nil
}

func weight(f *cache.Fact) uint32 {
	return uint32(min(entryOverhead+len(f.Key)+8*len(f.Tags)+f.Size, math.MaxUint32))
}

// Get looks key up without copying it: otter compares the bytes during the call
// and keeps nothing of them.
func (c *Cache) Get(key []byte) *cache.Fact {
	f, _ := c.facts.GetIfPresent(unsafe.String(unsafe.SliceData(key), len(key)))
	return f
}

// Put keeps f.
func (c *Cache) Put(f *cache.Fact) { c.facts.Set(f.Key, f) }

// Clear forgets everything.
func (c *Cache) Clear() { c.facts.InvalidateAll() }

// Stats counts. Entries and bytes may lag a moment behind the writes.
func (c *Cache) Stats() cache.Stats {
	return cache.Stats{
		Entries:   c.facts.EstimatedSize(),
		Bytes:     int64(c.facts.WeightedSize()),
		MaxBytes:  int64(c.facts.GetMaximum()),
		Evictions: c.evictions.Load(),
	}
}

// Resize changes the bound.
func (c *Cache) Resize(maxBytes int64) { c.facts.SetMaximum(uint64(max(maxBytes, 1))) }

// Close ends the cache's own goroutines.
func (c *Cache) Close() { c.facts.StopAllGoroutines() }
