package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"

	"github.com/pandobase/pando/internal/blob"
)

// A note is an empty file in .pending whose name is the escaped key, so that
// one sync of the directory puts any number of them on disk. A key too long for
// that has its hash as name, with longMark before it, and lies in the file.
const (
	maxNoteName = 250
	longMark    = "=" // never in an escaped key
)

// Undecided notes keys.
func (s *Store) Undecided(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		if err := blob.CheckKey(key); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	for i, key := range keys {
		if err := s.writeNote(key); err != nil {
			s.takeBack(keys[:i])
			s.mu.Unlock()
			return putError(key, err)
		}
		s.undecided[key]++
	}
	s.mu.Unlock()
	// The notes are counted already, so that nobody takes them off while they
	// are being synced.
	if err := syncDir(s.root, pendingDir); err != nil {
		s.Decided(ctx, keys)
		return fmt.Errorf("blob/disk: note: %w", err)
	}
	return nil
}

// Decided takes notes back, each as often as it was made: two transactions may
// hang on one file. It is not synced, since a note that comes back after a
// crash costs one question to the database.
func (s *Store) Decided(_ context.Context, keys []string) error {
	for _, key := range keys {
		if err := blob.CheckKey(key); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeBack(keys)
}

func (s *Store) takeBack(keys []string) error {
	var errs []error
	for _, key := range keys {
		if s.undecided[key]--; s.undecided[key] > 0 {
			continue
		}
		delete(s.undecided, key)
		if err := s.root.Remove(noteName(key)); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("blob/disk: note: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Pending lists the notes there are, those of other processes included.
func (s *Store) Pending(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(s.root.FS(), pendingDir)
	if err != nil {
		return nil, fmt.Errorf("blob/disk: %w", err)
	}
	var keys []string
	for _, e := range entries {
		key, err := s.readNote(e.Name())
		if gone(err) {
			continue // taken back this moment
		}
		if err != nil {
			return nil, fmt.Errorf("blob/disk: note %s: %w", e.Name(), err)
		}
		if blob.CheckKey(key) == nil { // a torn or foreign file is no note
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

func (s *Store) writeNote(key string) error {
	f, err := s.root.OpenFile(noteName(key), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if isLong(key) {
		_, err = f.WriteString(key)
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.Close())
}

func (s *Store) readNote(name string) (string, error) {
	if name[:1] != longMark {
		key, err := url.QueryUnescape(name)
		if err != nil {
			return "", nil // not one of ours
		}
		return key, nil
	}
	b, err := s.root.ReadFile(pendingDir + "/" + name)
	return string(b), err
}

func isLong(key string) bool { return len(escape(key)) > maxNoteName }

func noteName(key string) string {
	if isLong(key) {
		sum := sha256.Sum256([]byte(key))
		return pendingDir + "/" + longMark + hex.EncodeToString(sum[:])
	}
	return pendingDir + "/" + escape(key)
}

// escape makes a key one file name that people can read.
func escape(key string) string { return url.QueryEscape(key) }
