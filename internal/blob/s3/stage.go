package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/pandobase/pando"
)

// downloads is how many files are fetched at once.
const downloads = 8

// Stage holds on to files as they are now, for a backup: copies on this machine,
// since a bucket lets nobody keep what others delete. One that was read is gone, so
// that files take up their place twice only one at a time.
type Stage struct {
	s   *Store
	dir string

	mu   sync.Mutex
	held map[string]bool
}

// Stage makes an empty stage in a new directory below dir.
func (s *Store) Stage(dir string) (*Stage, error) {
	dir, err := os.MkdirTemp(dir, ".pando-stage-")
	if err != nil {
		return nil, fmt.Errorf("blob/s3: stage: %w", err)
	}
	return &Stage{s: s, dir: dir, held: map[string]bool{}}, nil
}

// Add fetches every file that is in the store and not yet in the stage. Call it
// before and after copying the database: a file of a record in the copy was there
// at one of the two moments.
func (g *Stage) Add(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	room := make(chan struct{}, downloads)
	err := g.s.list(ctx, "", batch, func(info minio.ObjectInfo) error {
		key := g.s.key(info.Key)
		if isOwn(key) || g.has(key) {
			return nil
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if err := g.fetch(ctx, info.Key, key); err != nil {
				cancel(err)
			}
		})
		return nil
	})
	wg.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("blob/s3: stage: %w", err)
	}
	return nil
}

// isOwn tells what is no file of a record: the store's own, and thumbs, which are
// made again when asked for.
func isOwn(key string) bool {
	return strings.HasPrefix(key, ".") || strings.Contains(key, "/thumbs_") && strings.Count(key, "/") > 2
}

func (g *Stage) has(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held[key]
}

func (g *Stage) fetch(ctx context.Context, object, key string) (err error) {
	o, err := g.s.open(ctx, object)
	if err != nil {
		if pando.KindOf(err) == pando.KindNotFound {
			return nil // deleted since it was listed
		}
		return err
	}
	defer o.Close()
	f, err := os.OpenFile(g.path(key), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, o)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	g.mu.Lock()
	g.held[key] = true
	g.mu.Unlock()
	return nil
}

func (g *Stage) path(key string) string {
	h := sha256.Sum256([]byte(key))
	return filepath.Join(g.dir, hex.EncodeToString(h[:]))
}

// Open opens a staged file, which is gone when it is closed.
func (g *Stage) Open(key string) (io.ReadCloser, error) {
	f, err := os.Open(g.path(key))
	if err != nil {
		return nil, err
	}
	return staged{f}, nil
}

type staged struct{ *os.File }

// Close closes and removes the file.
func (f staged) Close() error { return errors.Join(f.File.Close(), os.Remove(f.Name())) }

// Close lets go of the files.
func (g *Stage) Close() error { return os.RemoveAll(g.dir) }
