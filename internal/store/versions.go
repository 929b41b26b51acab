package store

import "sync"

// versionsKept is how many versions stay in memory: a snapshot that is older
// than the published catalog finds its own there.
const versionsKept = 8

// Versions holds the newest versions of the catalog, so that a snapshot need not
// read its own from the tables.
type Versions struct {
	mu   sync.RWMutex
	last []*Catalog // oldest first
}

// Get finds a version; nil if it is not kept.
func (v *Versions) Get(version uint64) *Catalog {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i := len(v.last) - 1; i >= 0; i-- {
		if v.last[i].Version == version {
			return v.last[i]
		}
	}
	return nil
}

// Add keeps cat, unless its version is there already.
func (v *Versions) Add(cat *Catalog) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.last {
		if c.Version == cat.Version {
			return
		}
	}
	if len(v.last) == versionsKept {
		v.last = append(v.last[:0], v.last[1:]...)
	}
	v.last = append(v.last, cat)
}

// Drop takes back a version whose commit failed.
func (v *Versions) Drop(version uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, c := range v.last {
		if c.Version == version {
			v.last = append(v.last[:i], v.last[i+1:]...)
			return
		}
	}
}
