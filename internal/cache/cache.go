// Package cache is the contract of the places that keep facts. A cache may
// lose, delay, resurrect or reorder whatever it holds: readers judge each fact
// by its stamp against the index of last changes, so a cache can only cost
// hits. Its executable suite is internal/cache/cachetest.
package cache

import "github.com/pandobase/pando/internal/position"

// Fact is a value with what is needed to judge it. It is immutable.
type Fact struct {
	Key   string // everything that the value depends on besides the data
	Value any    // shared, never changed
	Size  int    // bytes, roughly, of Value
	S     position.N
	Epoch position.Epoch // that S is of
	Tags  []position.Tag
	// Search is the one among Tags of a table that the value was made from by a
	// single search, the first thing read; 0: there is none. Such a table may
	// have changed without the search's answer having done so.
	Search position.Tag
	Made   Made
}

// Stats is what a cache holds now, and what it threw out since it was made.
type Stats struct {
	Entries   int
	Bytes     int64
	MaxBytes  int64
	Evictions int64
}

// Cache keeps facts. All methods may be called at once.
type Cache interface {
	// Get returns a fact that was put under exactly this key, or nil. key is
	// compared in full: clients choose parts of it, so a collision of hashes
	// must not show one the answer of another.
	Get(key []byte) *Fact
	// Put keeps f under f.Key, in place of any other.
	Put(f *Fact)
	// Clear forgets everything.
	Clear()
	// Stats is what the cache holds and has let go by now.
	Stats() Stats
}
