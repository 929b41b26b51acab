// Package disk keeps files in a directory.
//
// The tree below the root is the keys themselves (collectionID/recordID/name),
// so that people find their files. Names of the root that begin with a dot are
// its own: .tmp holds files that are being written, .pending the notes of
// [Store.Undecided], .id what tells one directory from another.
//
// A directory belongs to one server ([Open]), or is shared by several
// ([OpenShared]), each of which has it mounted from the same file server. Then
// temporary files and notes carry the name of the server that made them, and what
// may be of a server that lives is left alone.
//
// A file is written under a temporary name, synced, renamed and its directory
// synced: after a crash it is there whole or not at all. Everything goes through
// an [os.Root], so that neither a key nor a symbolic link leads out of it.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

const (
	tempDir    = ".tmp"
	pendingDir = ".pending"

	// deadTemp is how long a temporary file has not been written to when its
	// writer is certainly gone. Another process may be writing beside this one.
	deadTemp = time.Hour

	// maxTries is how often a file is moved into a directory that others keep
	// removing.
	maxTries = 100
)

// Store is a [blob.Store] in a directory.
type Store struct {
	root   *os.Root
	server string // "" has the directory to itself

	mu        sync.Mutex
	undecided map[string]int // how many transactions hold a note on a key
}

var _ blob.Store = (*Store)(nil)

// Open makes a store of dir, which is created if need be, and which no other
// server uses.
func Open(dir string) (*Store, error) { return open(dir, "") }

// OpenShared makes a store of dir, which several servers use. The name of this
// one is another than any other's, and the same after a restart.
func OpenShared(dir, server string) (*Store, error) {
	if err := blob.CheckKey(server); err != nil || strings.Contains(server, "/") {
		return nil, pando.Invalid("A server cannot be named %q.", server)
	}
	return open(dir, server)
}

func open(dir, server string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("blob/disk: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("blob/disk: %w", err)
	}
	s := &Store{root: root, server: server, undecided: map[string]int{}}
	for _, d := range []string{tempDir, s.notesDir()} {
		if err := root.MkdirAll(d, 0o700); err != nil {
			root.Close()
			return nil, fmt.Errorf("blob/disk: %w", err)
		}
	}
	if err := errors.Join(s.removeTemps(s.isDead), s.removeDeadStages()); err != nil {
		root.Close()
		return nil, err
	}
	if err := syncDir(root, "."); err != nil {
		root.Close()
		return nil, fmt.Errorf("blob/disk: %w", err)
	}
	return s, nil
}

// Close lets go of the directory. Files that are open stay readable.
func (s *Store) Close() error { return s.root.Close() }

// Put writes a whole file.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) error {
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	temp := s.newTemp()
	if err := s.writeTemp(ctx, temp, r); err != nil {
		s.root.Remove(temp)
		return putError(key, err)
	}
	if err := s.moveIn(temp, key); err != nil {
		s.root.Remove(temp)
		return putError(key, err)
	}
	return nil
}

// newTemp names a temporary file.
func (s *Store) newTemp() string {
	if s.server == "" {
		return tempDir + "/" + pando.NewID()
	}
	return tempDir + "/" + s.server + "." + pando.NewID()
}

func (s *Store) writeTemp(ctx context.Context, temp string, r io.Reader) error {
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, contextReader{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// moveIn renames temp to key and syncs every directory on the way. All of them,
// since one that was there already may have been made a moment ago by somebody
// who has not synced it yet; syncing a directory without changes costs little.
func (s *Store) moveIn(temp, key string) error {
	dir := path.Dir(key)
	for try := 1; ; try++ {
		err := s.root.MkdirAll(dir, 0o700)
		if err == nil {
			err = s.root.Rename(temp, key)
		}
		if err == nil {
			break
		}
		// A Delete that empties a directory on the way removes it under our
		// hands; MkdirAll then says that it is not there, or that it is.
		raced := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || stale(err)
		if !raced || try == maxTries {
			return err
		}
	}
	for ; ; dir = path.Dir(dir) {
		if err := syncDir(s.root, dir); err != nil && !gone(err) { // deleted again already
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

// Open opens a file.
func (s *Store) Open(ctx context.Context, key string) (blob.Object, error) {
	if err := errors.Join(ctx.Err(), blob.CheckKey(key)); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		o, err := s.open(key)
		if err != nil && stale(err) && try < maxTries {
			continue // another server has just moved something; the next look is fresh
		}
		return o, err
	}
}

func (s *Store) open(key string) (blob.Object, error) {
	// Opening a pipe or a device that somebody left here could hang.
	info, err := s.root.Stat(key)
	if err != nil || !info.Mode().IsRegular() {
		return nil, openError(key, err)
	}
	f, err := s.root.Open(key)
	if err != nil {
		return nil, openError(key, err)
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, fmt.Errorf("blob/disk: open %s: %w", key, err)
	}
	return &object{f, info}, nil
}

// Delete removes a file, and its directories if that leaves them empty.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), blob.CheckKey(key)); err != nil {
		return err
	}
	if info, err := s.root.Lstat(key); gone(err) || err == nil && info.IsDir() {
		return nil
	}
	if err := s.root.Remove(key); err != nil {
		if gone(err) {
			return nil
		}
		return fmt.Errorf("blob/disk: delete: %w", err)
	}
	return s.prune(path.Dir(key))
}

// DeleteAll removes everything below prefix.
func (s *Store) DeleteAll(ctx context.Context, prefix string) error {
	if err := errors.Join(ctx.Err(), blob.CheckKey(prefix)); err != nil {
		return err
	}
	if info, err := s.root.Lstat(prefix); gone(err) || err == nil && !info.IsDir() {
		return nil // nothing, or a file of just this name, which is not below it
	}
	if err := s.root.RemoveAll(prefix); err != nil {
		return fmt.Errorf("blob/disk: delete: %w", err)
	}
	return s.prune(path.Dir(prefix))
}

// prune removes dir and its parents as far as they are empty, and syncs the
// first that stays.
func (s *Store) prune(dir string) error {
	for ; dir != "."; dir = path.Dir(dir) {
		err := s.root.Remove(dir)
		if err == nil || gone(err) {
			continue
		}
		break // not empty, or not ours to remove
	}
	if err := syncDir(s.root, dir); err != nil && !gone(err) {
		return fmt.Errorf("blob/disk: sync: %w", err)
	}
	return nil
}

// RemoveTemps removes the files that this server was writing when a crash came.
// Call it before it writes anything, and not beside another process of it.
func (s *Store) RemoveTemps() error {
	return s.removeTemps(func(f fs.FileInfo) bool {
		return s.server == "" || strings.HasPrefix(f.Name(), s.server+".") || s.isDead(f)
	})
}

// isDead tells whether nobody can be writing a temporary file any more.
func (s *Store) isDead(f fs.FileInfo) bool { return time.Since(f.ModTime()) > deadTemp }

func (s *Store) removeTemps(which func(fs.FileInfo) bool) error {
	entries, err := fs.ReadDir(s.root.FS(), tempDir)
	if err != nil {
		return fmt.Errorf("blob/disk: %w", err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && which(info) {
			if err := s.root.Remove(tempDir + "/" + e.Name()); err != nil && !gone(err) {
				return fmt.Errorf("blob/disk: %w", err)
			}
		}
	}
	return nil
}

type object struct {
	*os.File
	info fs.FileInfo
}

func (o *object) Size() int64         { return o.info.Size() }
func (o *object) Modified() time.Time { return o.info.ModTime() }

// contextReader ends a copy when ctx does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// gone tells that there is no such file. A file where a directory should be
// says the same.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// stale tells that a file server knows a file or a directory no longer that this
// machine still had in mind. Local file systems do not say it.
func stale(err error) bool { return errors.Is(err, syscall.ESTALE) }

func openError(key string, err error) error {
	if err == nil || gone(err) || escapes(err) {
		return pando.NotFound()
	}
	return fmt.Errorf("blob/disk: open %s: %w", key, err)
}

// escapes tells that os.Root refused a symbolic link. The package has no
// sentinel for it; what it returns is a bare text inside a PathError.
func escapes(err error) bool {
	pe, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return false
	}
	_, isErrno := errors.AsType[syscall.Errno](pe.Err)
	return !isErrno && !errors.Is(err, fs.ErrClosed) || errors.Is(err, syscall.ELOOP)
}

func putError(key string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &pando.Error{
			Kind:    pando.KindUnavailable,
			Message: "The file could not be stored because the server's disk is full.",
			Err:     err,
		}
	}
	return fmt.Errorf("blob/disk: put %s: %w", key, err)
}
