package store

import (
	"sync"

	"github.com/pandobase/pando"
)

// plansKept bounds the plans of collections that are no longer in the catalog.
const plansKept = 4096

// Plans holds what an adapter works out once for each collection that it was
// asked for. A changed collection is another value with a plan of its own.
type Plans[T any] struct {
	Make func(*pando.Collection) T

	mu sync.RWMutex
	m  map[*pando.Collection]T
}

// Of is the plan of c.
func (k *Plans[T]) Of(c *pando.Collection) T {
	k.mu.RLock()
	p, ok := k.m[c]
	k.mu.RUnlock()
	if ok {
		return p
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.m[c]; ok {
		return p
	}
	if k.m == nil || len(k.m) >= plansKept {
		k.m = make(map[*pando.Collection]T)
	}
	p = k.Make(c)
	k.m[c] = p
	return p
}
