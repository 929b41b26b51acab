package store

import (
	"strings"

	"github.com/pandobase/pando"
)

// Catalog is every collection and the settings at one version. It is immutable
// and shared by all.
type Catalog struct {
	// Version grows with every change of a collection or of the settings.
	Version     uint64
	Settings    *pando.Settings
	Collections []*pando.Collection // in creation order

	byID   map[string]*pando.Collection
	byName map[string]*pando.Collection // by lower-case name
	rules  compiled
}

// NewCatalog makes a catalog of collections, which it owns from now on.
func NewCatalog(version uint64, settings *pando.Settings, collections []*pando.Collection) *Catalog {
	c := &Catalog{
		Version: version, Settings: settings, Collections: collections,
		byID:   make(map[string]*pando.Collection, len(collections)),
		byName: make(map[string]*pando.Collection, len(collections)),
	}
	for _, col := range collections {
		c.byID[col.ID] = col
		c.byName[strings.ToLower(col.Name)] = col
	}
	return c
}

// Collection finds a collection by id, or by name in any case; nil if there is
// none. An id wins over a name.
func (c *Catalog) Collection(ref string) *pando.Collection {
	if col := c.byID[ref]; col != nil {
		return col
	}
	if col := c.byName[ref]; col != nil { // most names are lower-case already
		return col
	}
	return c.byName[strings.ToLower(ref)]
}

// All lists the collections, in creation order.
func (c *Catalog) All() []*pando.Collection { return c.Collections }

// With is c at another version with col in place of the collection of the same
// id, or after all others if there is none.
func (c *Catalog) With(version uint64, col *pando.Collection) *Catalog {
	list := make([]*pando.Collection, 0, len(c.Collections)+1)
	found := false
	for _, have := range c.Collections {
		if have.ID == col.ID {
			have, found = col, true
		}
		list = append(list, have)
	}
	if !found {
		list = append(list, col)
	}
	return NewCatalog(version, c.Settings, list)
}

// Without is c at another version without the collection of the id.
func (c *Catalog) Without(version uint64, id string) *Catalog {
	list := make([]*pando.Collection, 0, len(c.Collections))
	for _, have := range c.Collections {
		if have.ID != id {
			list = append(list, have)
		}
	}
	return NewCatalog(version, c.Settings, list)
}
