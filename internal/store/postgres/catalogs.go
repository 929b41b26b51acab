package postgres

import (
	"sync"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// catalogsKept is how many versions stay in memory: a snapshot that is older
// than the published catalog finds its own there.
const catalogsKept = 8

// catalogs holds the newest versions of the catalog, so that a snapshot need not
// read its own from the tables.
type catalogs struct {
	mu   sync.RWMutex
	last []*store.Catalog // oldest first
}

func (k *catalogs) get(version uint64) *store.Catalog {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for i := len(k.last) - 1; i >= 0; i-- {
		if k.last[i].Version == version {
			return k.last[i]
		}
	}
	return nil
}

// add keeps cat, unless its version is there already.
func (k *catalogs) add(cat *store.Catalog) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.last {
		if c.Version == cat.Version {
			return
		}
	}
	if len(k.last) == catalogsKept {
		k.last = append(k.last[:0], k.last[1:]...)
	}
	k.last = append(k.last, cat)
}

// drop takes back a version whose commit failed.
func (k *catalogs) drop(version uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, c := range k.last {
		if c.Version == version {
			k.last = append(k.last[:i], k.last[i+1:]...)
			return
		}
	}
}

// withCollection is cat at another version with col in place of the collection
// of the same id, or after all others if there is none.
func withCollection(cat *store.Catalog, version uint64, col *pando.Collection) *store.Catalog {
	list := make([]*pando.Collection, 0, len(cat.Collections)+1)
	found := false
	for _, c := range cat.Collections {
		if c.ID == col.ID {
			c, found = col, true
		}
		list = append(list, c)
	}
	if !found {
		list = append(list, col)
	}
	return store.NewCatalog(version, cat.Settings, list)
}

// withoutCollection is cat at another version without the collection of the id.
func withoutCollection(cat *store.Catalog, version uint64, id string) *store.Catalog {
	list := make([]*pando.Collection, 0, len(cat.Collections))
	for _, c := range cat.Collections {
		if c.ID != id {
			list = append(list, c)
		}
	}
	return store.NewCatalog(version, cat.Settings, list)
}
