package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/pandobase/pando"
)

// idFile holds what tells one directory from another. Paths do not: the same one
// may be another disk on each machine, and one share be mounted in two places.
const idFile = ".id"

// Fingerprint tells whether two servers have the same directory. It is made when
// it is asked for the first time.
func (s *Store) Fingerprint(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	text, err := s.root.ReadFile(idFile)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = s.name()
	}
	if id := strings.TrimSpace(string(text)); err == nil && id != "" {
		return "file:" + id, nil
	}
	return "", fmt.Errorf("blob/disk: identity of the directory: %w", errors.Join(err, errNoID))
}

var errNoID = errors.New(idFile + " is empty")

// name gives the directory an id, unless another server does so first.
func (s *Store) name() ([]byte, error) {
	temp := s.newTemp()
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer s.root.Remove(temp)
	_, err = f.WriteString(pando.NewID() + pando.NewID() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := s.root.Link(temp, idFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := syncDir(s.root, "."); err != nil {
		return nil, err
	}
	return s.root.ReadFile(idFile)
}

// Empty tells whether no file is in the store.
func (s *Store) Empty(context.Context) (bool, error) {
	names, err := s.top()
	return len(names) == 0, err
}

// Clear removes all files.
func (s *Store) Clear(ctx context.Context) error {
	names, err := s.top()
	for _, name := range names {
		err = errors.Join(err, s.DeleteAll(ctx, name), s.Delete(ctx, name))
	}
	return err
}

// top is the names in the root that are not the store's own.
func (s *Store) top() (names []string, err error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("blob/disk: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
