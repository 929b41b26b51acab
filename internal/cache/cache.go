// Package cache is the contract of the places that keep facts. A cache may
// lose, delay, resurrect or reorder whatever it holds: readers judge each fact
// by its stamp against the index of last changes, so a cache can only cost
// hits. Its executable suite is internal/cache/cachetest.
package cache

import "github.com/pandobase/pando/internal/position"

// Name is a keyed hash of a fact's key.
type Name [2]uint64

// Fact is a value with what is needed to judge it.
type Fact struct {
	Key   string // in full, compared on every hit: clients choose parts of it
	Value any    // shared, never changed
	Size  int    // bytes, roughly
	S     position.N
	Tags  []position.Tag
}

// Stats counts since the start.
type Stats struct {
	Entries   int
	Bytes     int64
	MaxBytes  int64
	Evictions int64
}

// Cache keeps facts by name. All methods may be called at once.
type Cache interface {
	// Get returns a fact put under the name, or nil.
	Get(n Name) *Fact
	// Put keeps a fact under the name, in place of any other.
	Put(n Name, f *Fact)
	// Drop forgets what is kept under the name.
	Drop(n Name)
	// Clear forgets everything.
	Clear()
	Stats() Stats
}
