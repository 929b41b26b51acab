package collections

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
)

// Files go after the transaction that makes nobody name them, and a note about
// them lies on disk before it commits: a crash between the two leaves no file
// without its record. See blob.Store.Undecided. Here a key is that of a file, or
// the id of a collection, which stands for all its files.

// errNoNotes ends a transaction that would leave files without notes: a
// transaction does not wait for the disk they lie on.
var errNoNotes = errors.New("collections: files are not noted yet")

// removing runs fn in a transaction, and removes what it returns once that is
// committed. fn may run more than once; keys that are known to come may be given
// beforehand and spare it a second run.
func (s *Service) removing(ctx context.Context, known []string, fn func(store.Tx) ([]string, error)) error {
	var gone []string
	lost := false
	noted := map[string]bool{}
	err := s.note(ctx, noted, known)
	for err == nil {
		_, err = s.store.Write(ctx, func(tx store.Tx) error {
			var err error
			if gone, err = fn(tx); err == nil && len(s.unnoted(noted, gone)) > 0 {
				err = errNoNotes
			}
			return err
		})
		if !errors.Is(err, errNoNotes) {
			lost = store.IsUnknown(err)
			break
		}
		err = s.note(ctx, noted, s.unnoted(noted, gone))
	}
	if lost {
		return err // the notes stay: the database is asked about them later
	}
	if err != nil {
		gone = nil
	}
	s.settle(context.WithoutCancel(ctx), noted, gone)
	return err
}

func (s *Service) unnoted(noted map[string]bool, keys []string) []string {
	if s.blobs == nil {
		return nil
	}
	var missing []string
	for _, key := range keys {
		if !noted[key] {
			missing = append(missing, key)
		}
	}
	return missing
}

func (s *Service) note(ctx context.Context, noted map[string]bool, keys []string) error {
	if s.blobs == nil || len(keys) == 0 {
		return nil
	}
	if err := s.blobs.Undecided(ctx, keys); err != nil {
		return err
	}
	for _, key := range keys {
		noted[key] = true
	}
	return nil
}

// settle removes what is gone and takes the notes back. What cannot be removed
// now keeps its note, and goes when the notes are gone through the next time.
func (s *Service) settle(ctx context.Context, noted map[string]bool, gone []string) {
	if s.blobs == nil || len(noted) == 0 {
		return
	}
	for key := range blob.RemoveEach(ctx, s.blobs, gone) {
		delete(noted, key)
	}
	var settled []string
	for key := range noted {
		settled = append(settled, key)
	}
	_ = s.blobs.Decided(ctx, settled) // a note too many costs a question later
}

// storage is the keys of all files of these collections.
func storage(list ...*pando.Collection) []string {
	var keys []string
	for _, c := range list {
		if !c.IsView() {
			keys = append(keys, c.ID)
		}
	}
	return keys
}
