package blob

import (
	"context"
	"strings"
	"sync"
)

// Remove removes the file at key with its thumbs; for a collection's id, all its
// files.
func Remove(ctx context.Context, s Store, key string) error {
	if !strings.Contains(key, "/") {
		return s.DeleteAll(ctx, key)
	}
	if err := s.Delete(ctx, key); err != nil {
		return err
	}
	return s.DeleteAll(ctx, Thumbs(key))
}

// removers is how many files are removed at once: a store may be a network away.
const removers = 16

// RemoveEach removes files like Remove, and returns the keys of those that could
// not be.
func RemoveEach(ctx context.Context, s Store, keys []string) (failed map[string]error) {
	failed = map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	room := make(chan struct{}, removers)
	for _, key := range keys {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if err := Remove(ctx, s, key); err != nil {
				mu.Lock()
				failed[key] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}
