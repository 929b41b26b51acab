package cachetest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

// Shared is a cache.Tier in memory, for tests of what stands on one: what is put
// is there at once. The zero value is empty.
type Shared struct {
	mu      sync.Mutex
	entries map[sharedKey]*cache.Entry
	claims  map[sharedKey]time.Time // until when
	asked   int
}

type sharedKey struct {
	epoch position.Epoch
	key   string
}

// Get implements cache.Tier.
func (s *Shared) Get(_ context.Context, epoch position.Epoch, key []byte) *cache.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.entries[sharedKey{epoch, string(key)}]
}

// Claim implements cache.Tier.
func (s *Shared) Claim(_ context.Context, epoch position.Epoch, key []byte) (e *cache.Entry, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	k := sharedKey{epoch, string(key)}
	if time.Now().After(s.claims[k]) {
		if s.claims == nil {
			s.claims = map[sharedKey]time.Time{}
		}
		s.claims[k] = time.Now().Add(cache.FillLock)
		mine = true
	}
	return s.entries[k], mine
}

// Put implements cache.Tier.
func (s *Shared) Put(e *cache.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries == nil {
		s.entries = map[sharedKey]*cache.Entry{}
	}
	k := sharedKey{e.Epoch, e.Key}
	s.entries[k] = e
	delete(s.claims, k)
}

// Release implements cache.Tier.
func (s *Shared) Release(epoch position.Epoch, key []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claims, sharedKey{epoch, string(key)})
}

// Entries are all that it holds, in no order.
func (s *Shared) Entries() []*cache.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.entries))
}

// Asked is how often it was.
func (s *Shared) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
