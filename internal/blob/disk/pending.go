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
	"path"
	"strings"
	"time"

	"github.com/pandobase/pando/internal/blob"
)

// A note is an empty file in .pending whose name is the escaped key, so that
// one sync of the directory puts any number of them on disk. A key too long for
// that has its hash as name, with longMark before it, and lies in the file. In a
// shared directory each server has its notes in a directory of its own below
// .pending, which is named after it.
const (
	maxNoteName = 250
	longMark    = "=" // never in an escaped key
	serverMark  = "@" // neither
)

// notesDir is where this server makes its notes.
func (s *Store) notesDir() string {
	if s.server == "" {
		return pendingDir
	}
	return pendingDir + "/" + serverMark + s.server
}

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
	if err := syncDir(s.root, s.notesDir()); err != nil {
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
		if err := s.root.Remove(s.noteName(key)); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("blob/disk: note: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Pending lists the notes there are.
func (s *Store) Pending(ctx context.Context) ([]blob.Note, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var notes []blob.Note
	now := time.Time{}
	err := fs.WalkDir(s.root.FS(), pendingDir, func(name string, d fs.DirEntry, err error) error {
		if gone(err) {
			return nil // taken back this moment
		}
		if err != nil || d.IsDir() {
			return err
		}
		if now.IsZero() { // with the first note: mostly there is none
			if now, err = s.now(); err != nil {
				return err
			}
		}
		n, err := s.readNote(name, d, now)
		if err == nil && blob.CheckKey(n.Key) == nil { // a torn or foreign file is no note
			notes = append(notes, n)
		}
		if gone(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("blob/disk: notes: %w", err)
	}
	return notes, nil
}

// Settled takes notes away, whoever made them.
func (s *Store) Settled(_ context.Context, notes []blob.Note) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, n := range notes {
		if !strings.HasPrefix(n.ID, pendingDir+"/") {
			return fmt.Errorf("blob/disk: %q is no note", n.ID)
		}
		if n.ID == s.noteName(n.Key) {
			delete(s.undecided, n.Key)
		}
		if err := s.root.Remove(n.ID); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("blob/disk: note: %w", err))
		}
	}
	return errors.Join(errs...)
}

// now is the time by the clock that stamps files, which of a shared directory is
// the file server's.
func (s *Store) now() (time.Time, error) {
	name := s.newTemp()
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return time.Time{}, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close(), s.root.Remove(name)); err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func (s *Store) writeNote(key string) error {
	f, err := s.root.OpenFile(s.noteName(key), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if isLong(key) {
		_, err = f.WriteString(key)
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.Close())
}

// readNote reads the note in a file; one without a key is none of ours.
func (s *Store) readNote(name string, d fs.DirEntry, now time.Time) (blob.Note, error) {
	info, err := d.Info()
	if err != nil {
		return blob.Note{}, err
	}
	dir, base := path.Split(name)
	n := blob.Note{ID: name, Own: strings.TrimSuffix(dir, "/") == s.notesDir(), Age: max(0, now.Sub(info.ModTime()))}
	if base[:1] == longMark {
		text, err := s.root.ReadFile(name)
		if err != nil {
			return n, err
		}
		n.Key = string(text)
	} else if n.Key, err = url.QueryUnescape(base); err != nil {
		return n, nil
	}
	s.mu.Lock()
	n.Held = n.Own && s.undecided[n.Key] > 0
	s.mu.Unlock()
	return n, nil
}

func isLong(key string) bool { return len(escape(key)) > maxNoteName }

func (s *Store) noteName(key string) string {
	if isLong(key) {
		sum := sha256.Sum256([]byte(key))
		return s.notesDir() + "/" + longMark + hex.EncodeToString(sum[:])
	}
	return s.notesDir() + "/" + escape(key)
}

// escape makes a key one file name that people can read.
func escape(key string) string { return url.QueryEscape(key) }
