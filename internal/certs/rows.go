package certs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// Rows are entries in a database that several machines share, and leases in it. All
// methods fail if the database cannot be asked; a call that fails may have been
// carried out.
type Rows interface {
	// Put writes an entry, in place of one of the same key.
	Put(ctx context.Context, key string, value []byte) error
	// Get reads one; ok tells whether there is one.
	Get(ctx context.Context, key string) (value []byte, changed time.Time, ok bool, err error)
	// Keys are those of all entries below a directory ("" is above all), sorted.
	Keys(ctx context.Context, dir string) ([]string, error)
	// Remove deletes the entry of a key, and all below it.
	Remove(ctx context.Context, key string) error

	// Claim makes holder the holder of a lease until for is over, or for longer if it
	// is already, unless somebody else holds it. Time is the database's.
	Claim(ctx context.Context, name, holder string, d time.Duration) (ok bool, err error)
	// Release ends holder's lease, if it is still held.
	Release(ctx context.Context, name, holder string) error
}

// lease is how long a lock stays that nobody renews, as its holder is gone. A
// holder renews it three times in that time.
const lease = 15 * time.Second

// Shared keeps certificates in rows, sealed with keys[0]; what was sealed with
// another of keys is read as well. It is closed after the certificates that use it.
func Shared(rows Rows, keys [][]byte) (*SharedStorage, error) {
	s := &SharedStorage{rows: rows, held: map[string]*hold{}, lease: lease}
	for _, key := range keys {
		seal, err := newSeal(key)
		if err != nil {
			return nil, err
		}
		s.seals = append(s.seals, seal)
	}
	return s, nil
}

// SharedStorage is a [Storage] of several machines.
type SharedStorage struct {
	rows  Rows
	seals []seal
	lease time.Duration

	mu   sync.Mutex
	held map[string]*hold
}

// hold is a lock that this process has.
type hold struct {
	holder string
	stop   context.CancelFunc
	done   chan struct{}
}

// Close gives up all locks.
func (s *SharedStorage) Close() {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.held))
	s.mu.Unlock()
	for _, name := range names {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = s.Unlock(ctx, name) // it ends by itself
		cancel()
	}
}

func (s *SharedStorage) Store(ctx context.Context, key string, value []byte) error {
	return s.rows.Put(ctx, key, s.seals[0].seal(key, value))
}

func (s *SharedStorage) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := s.load(ctx, key)
	return value, err
}

func (s *SharedStorage) load(ctx context.Context, key string) ([]byte, time.Time, error) {
	sealed, changed, ok, err := s.rows.Get(ctx, key)
	if err == nil && !ok {
		err = &fs.PathError{Op: "load", Path: key, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, changed, err
	}
	for _, seal := range s.seals {
		if value, ok := seal.open(key, sealed); ok {
			return value, changed, nil
		}
	}
	// As if there were none, it is asked for anew: that is what helps after the secret
	// has been changed without a time in which both are accepted.
	return nil, changed, &fs.PathError{Op: "open with this cluster's secret", Path: key, Err: fs.ErrNotExist}
}

func (s *SharedStorage) Delete(ctx context.Context, key string) error { return s.rows.Remove(ctx, key) }

func (s *SharedStorage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

func (s *SharedStorage) List(ctx context.Context, dir string, recursive bool) ([]string, error) {
	keys, err := s.rows.Keys(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: fs.ErrNotExist}
	}
	var list []string
	for _, key := range keys {
		parts := strings.Split(strings.TrimPrefix(strings.TrimPrefix(key, dir), "/"), "/")
		for n := range parts { // directories are entries of their own
			entry := path.Join(dir, path.Join(parts[:n+1]...))
			if !slices.Contains(list, entry) {
				list = append(list, entry)
			}
			if !recursive {
				break
			}
		}
	}
	return list, nil
}

func (s *SharedStorage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, changed, err := s.load(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: changed, Size: int64(len(value)), IsTerminal: true}, nil
	}
	keys, err2 := s.rows.Keys(ctx, key)
	if err2 != nil || len(keys) == 0 {
		return certmagic.KeyInfo{}, err
	}
	return certmagic.KeyInfo{Key: key}, nil
}

func (s *SharedStorage) Lock(ctx context.Context, name string) error {
	return lockWhenFree(ctx, s, name)
}

func (s *SharedStorage) TryLock(ctx context.Context, name string) (bool, error) {
	var random [16]byte
	rand.Read(random[:]) // it cannot fail
	h := &hold{holder: hex.EncodeToString(random[:]), done: make(chan struct{})}
	ok, err := s.rows.Claim(ctx, name, h.holder, s.lease)
	if !ok || err != nil {
		return false, err
	}
	var keeping context.Context
	keeping, h.stop = context.WithCancel(context.Background())
	s.mu.Lock()
	s.held[name] = h
	s.mu.Unlock()
	go s.keep(keeping, name, h)
	return true, nil
}

// keep renews a lease until it is given up. If the database cannot be asked for as
// long as the lease, somebody else may take it: two ask for one certificate then,
// which is allowed.
func (s *SharedStorage) keep(ctx context.Context, name string, h *hold) {
	defer close(h.done)
	tick := time.NewTicker(s.lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, s.lease/3)
		_, _ = s.rows.Claim(bounded, name, h.holder, s.lease) // the next one may go well
		cancel()
	}
}

func (s *SharedStorage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	h := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if h == nil {
		return notHeld(name)
	}
	h.stop()
	<-h.done
	return s.rows.Release(ctx, name, h.holder)
}

func notHeld(name string) error { return fmt.Errorf("certs: the lock %q is not held here", name) }
