// Package certstest is the contract of a storage of certificates, for whatever keeps
// them: what certmagic expects of it, and that its locks are of use.
package certstest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/pandobase/pando/internal/certs"
)

// Storage is what is tested: it can also try a lock.
type Storage interface {
	certs.Storage
	certmagic.TryLocker
}

// Run tests storages. Each call of open is another process's view of one and the same
// place, which is empty when a test begins: place is called first.
func Run(t *testing.T, place func(t *testing.T) (open func() Storage)) {
	t.Run("Entries", func(t *testing.T) { entries(t, place(t)) })
	t.Run("Directories", func(t *testing.T) { directories(t, place(t)) })
	t.Run("Writers", func(t *testing.T) { writers(t, place(t)) })
	t.Run("Lock", func(t *testing.T) { lock(t, place(t)) })
	t.Run("Exclusion", func(t *testing.T) { exclusion(t, place(t)) })
}

func entries(t *testing.T, open func() Storage) {
	a, b, ctx := open(), open(), t.Context()
	const key = "certificates/acme/app.example.com/app.example.com.key"
	if _, err := a.Load(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an entry that is not there: %v", err)
	}
	if _, err := a.Stat(ctx, key); !errors.Is(err, fs.ErrNotExist) || a.Exists(ctx, key) {
		t.Errorf("what is known of an entry that is not there: %v", err)
	}
	if err := a.Delete(ctx, key); err != nil {
		t.Errorf("an entry that is not there is deleted: %v", err)
	}
	binary := make([]byte, 70_000)
	for i := range binary {
		binary[i] = byte(i * 7)
	}
	for _, value := range [][]byte{[]byte("first"), {}, binary, []byte("last")} {
		if err := a.Store(ctx, key, value); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Load(ctx, key); err != nil || !bytes.Equal(got, value) {
			t.Errorf("%d bytes were stored, another process reads %d, %v", len(value), len(got), err)
		}
		info, err := b.Stat(ctx, key)
		if err != nil || info.Key != key || info.Size != int64(len(value)) || !info.IsTerminal || time.Since(info.Modified).Abs() > time.Minute {
			t.Errorf("what is known of %d bytes: %+v, %v", len(value), info, err)
		}
	}
	if err := b.Delete(ctx, key); err != nil || a.Exists(ctx, key) {
		t.Errorf("it is deleted (%v) and still there", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := a.Lock(ended, "taken"); err == nil {
		// Free, so it may be had at once; then it must be given back.
		if err := a.Unlock(ctx, "taken"); err != nil {
			t.Error(err)
		}
	}
}

func directories(t *testing.T, open func() Storage) {
	s, ctx := open(), t.Context()
	for _, key := range []string{"a/b/1", "a/b/2", "a/c", "ab/c", "a_b"} {
		if err := s.Store(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	list := func(dir string, recursive bool, want ...string) {
		t.Helper()
		got, err := s.List(ctx, dir, recursive)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("list of %q: %q, %v; want %q", dir, got, err, want)
		}
	}
	list("a", false, "a/b", "a/c")
	list("a", true, "a/b", "a/b/1", "a/b/2", "a/c")
	list("a/b", false, "a/b/1", "a/b/2")
	if _, err := s.List(ctx, "none", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list of nothing: %v", err)
	}
	info, err := s.Stat(ctx, "a/b")
	if err != nil || info.IsTerminal || !s.Exists(ctx, "a/b") {
		t.Errorf("a directory: %+v, %v", info, err)
	}
	if err := s.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if s.Exists(ctx, "a/b/1") || s.Exists(ctx, "a/c") || s.Exists(ctx, "a") {
		t.Error("a directory is deleted and its entries are there")
	}
	if !s.Exists(ctx, "ab/c") || !s.Exists(ctx, "a_b") {
		t.Error("with a directory another one of a longer name is deleted")
	}
}

// writers: whole values only.
func writers(t *testing.T, open func() Storage) {
	ctx := t.Context()
	var all sync.WaitGroup
	for i := range 4 {
		s := open()
		all.Go(func() {
			for range 10 {
				if err := s.Store(ctx, "one/key", bytes.Repeat([]byte{byte('a' + i)}, 5_000*(i+1))); err != nil {
					t.Error(err)
				}
				got, err := s.Load(ctx, "one/key")
				if err != nil || len(got) == 0 || len(got) != 5_000*int(got[0]-'a'+1) || bytes.Count(got, got[:1]) != len(got) {
					t.Errorf("a value of several writers: %d bytes, %v", len(got), err)
				}
			}
		})
	}
	all.Wait()
}

func lock(t *testing.T, open func() Storage) {
	a, b, ctx := open(), open(), t.Context()
	if err := a.Unlock(ctx, "never"); err == nil {
		t.Error("a lock that nobody has is given back without an error")
	}
	if err := a.Lock(ctx, "issue_cert_app.example.com"); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Storage{"the same process": a, "another process": b} {
		if ok, err := s.TryLock(ctx, "issue_cert_app.example.com"); ok || err != nil {
			t.Errorf("%s takes a lock that is taken: %v, %v", name, ok, err)
		}
	}
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if err := b.Lock(soon, "issue_cert_app.example.com"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait for a lock that is taken ends with %v", err)
	}
	if ok, err := b.TryLock(ctx, "another"); !ok || err != nil {
		t.Errorf("another lock: %v, %v", ok, err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- b.Lock(ctx, "issue_cert_app.example.com") }()
	if err := a.Unlock(ctx, "issue_cert_app.example.com"); err != nil {
		t.Error(err)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	for _, name := range []string{"another", "issue_cert_app.example.com"} {
		if err := b.Unlock(ctx, name); err != nil {
			t.Error(err)
		}
	}
}

// exclusion: of many who want it, one has it at a time.
func exclusion(t *testing.T, open func() Storage) {
	ctx := t.Context()
	var all sync.WaitGroup
	var inside, had atomic.Int32
	for range 4 {
		s := open()
		for range 2 {
			all.Go(func() {
				for range 3 {
					if err := s.Lock(ctx, "l"); err != nil {
						t.Error(err)
						return
					}
					if n := inside.Add(1); n != 1 {
						t.Errorf("%d have the lock", n)
					}
					had.Add(1)
					inside.Add(-1)
					if err := s.Unlock(ctx, "l"); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	if had.Load() != 24 {
		t.Errorf("the lock was had %d times, want 24", had.Load())
	}
}
