package certs

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// lockEvery is how often a lock that is taken is tried again.
const lockEvery = 50 * time.Millisecond

// Disk keeps certificates below a directory of one machine, readable by the
// process's user only. Several processes may use it at once. Its locks are of the
// kernel: they end with the process that has them, so a crash leaves none behind.
func Disk(dir string) Storage {
	return &disk{files: &certmagic.FileStorage{Path: dir}, locks: filepath.Join(dir, "locks"), held: map[string]*os.File{}}
}

type disk struct {
	files *certmagic.FileStorage
	locks string // directory

	mu   sync.Mutex
	held map[string]*os.File
}

func (d *disk) Store(ctx context.Context, key string, value []byte) error {
	return d.files.Store(ctx, key, value)
}

func (d *disk) Load(ctx context.Context, key string) ([]byte, error) { return d.files.Load(ctx, key) }

func (d *disk) Delete(ctx context.Context, key string) error { return d.files.Delete(ctx, key) }

func (d *disk) Exists(ctx context.Context, key string) bool { return d.files.Exists(ctx, key) }

func (d *disk) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	return d.files.List(ctx, path, recursive)
}

func (d *disk) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	return d.files.Stat(ctx, key)
}

func (d *disk) Lock(ctx context.Context, name string) error { return lockWhenFree(ctx, d, name) }

func (d *disk) TryLock(_ context.Context, name string) (bool, error) {
	if err := os.MkdirAll(d.locks, 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(filepath.Join(d.locks, certmagic.StorageKeys.Safe(name)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	free, err := flock(f)
	if !free {
		f.Close()
		return false, err
	}
	d.mu.Lock()
	d.held[name] = f
	d.mu.Unlock()
	return true, nil
}

// Unlock leaves the file: to remove it would let two have a lock each, one on the
// old file and one on a new one.
func (d *disk) Unlock(_ context.Context, name string) error {
	d.mu.Lock()
	f := d.held[name]
	delete(d.held, name)
	d.mu.Unlock()
	if f == nil {
		return notHeld(name)
	}
	return f.Close()
}

// lockWhenFree waits until a lock can be had.
func lockWhenFree(ctx context.Context, l certmagic.TryLocker, name string) error {
	for {
		if ok, err := l.TryLock(ctx, name); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}
