// Package cachetest is the executable form of the cache contract.
package cachetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

// Run checks a kind of cache. open makes an empty one that holds about maxBytes.
func Run(t *testing.T, open func(t *testing.T, maxBytes int64) cache.Cache) {
	t.Run("what was put is got under exactly its key", func(t *testing.T) {
		c := open(t, 1<<20)
		f := &cache.Fact{Key: "a\x00b", Value: "v", Size: 1, S: 7, Tags: []position.Tag{1, 2}}
		c.Put(f)
		got := c.Get([]byte("a\x00b"))
		if got == nil || got.Value != "v" || got.S != 7 || len(got.Tags) != 2 {
			t.Fatalf("Get = %+v, want the fact that was put", got)
		}
		for _, other := range []string{"a", "a\x00", "a\x00b\x00", "A\x00b", ""} {
			if got := c.Get([]byte(other)); got != nil {
				t.Errorf("Get(%q) = %+v, want nil", other, got)
			}
		}
	})

	t.Run("the key bytes may be used again by the caller", func(t *testing.T) {
		c := open(t, 1<<20)
		key := []byte("one")
		c.Get(key)
		c.Put(&cache.Fact{Key: string(key), Value: 1})
		copy(key, "two")
		if c.Get([]byte("one")) == nil || c.Get(key) != nil {
			t.Fatal("the cache kept the caller's key bytes")
		}
	})

	t.Run("a second fact takes the place of the first", func(t *testing.T) {
		c := open(t, 1<<20)
		c.Put(&cache.Fact{Key: "k", Value: 1, S: 1})
		c.Put(&cache.Fact{Key: "k", Value: 2, S: 2})
		if got := c.Get([]byte("k")); got == nil || got.Value != 2 {
			t.Fatalf("Get = %+v, want the second", got)
		}
	})

	t.Run("clear forgets everything", func(t *testing.T) {
		c := open(t, 1<<20)
		c.Put(&cache.Fact{Key: "k", Value: 1})
		c.Clear()
		if got := c.Get([]byte("k")); got != nil {
			t.Fatalf("Get after Clear = %+v, want nil", got)
		}
	})

	t.Run("the bound holds", func(t *testing.T) {
		const bound = 1 << 20
		c := open(t, bound)
		for i := range 10_000 {
			c.Put(&cache.Fact{Key: fmt.Sprint(i), Value: i, Size: 1000})
		}
		// Eviction may run a little behind: one more call each lets it catch up.
		for i := range 1000 {
			c.Get([]byte(fmt.Sprint(i)))
		}
		if s := c.Stats(); s.Bytes > bound*11/10 || s.Entries == 0 {
			t.Fatalf("10,000 facts of 1,000 bytes: %d entries, %d bytes held of %d", s.Entries, s.Bytes, bound)
		}
	})

	t.Run("many at once", func(t *testing.T) {
		c := open(t, 1<<20)
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 2000 {
					key := fmt.Sprint((g + i) % 50)
					if f := c.Get([]byte(key)); f != nil && f.Value != key {
						t.Errorf("Get(%s) = %v", key, f.Value)
					}
					c.Put(&cache.Fact{Key: key, Value: key, Size: 10})
				}
			})
		}
		wg.Wait()
	})
}
