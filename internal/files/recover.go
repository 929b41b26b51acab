package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
)

// Recover settles what writers that are gone left undecided: a file that its
// record names stays, any other goes, with its thumbs. A note that is only a
// collection's id stands for all its files, which go if there is no such
// collection. Call it before the server serves, and now and then.
//
// While there is no primary, or one that confirms no commit, nothing is settled: a
// replica may not show yet what names a file.
func (f *Files) Recover(ctx context.Context) error {
	notes, err := f.blobs.Pending(ctx)
	if err != nil {
		return fmt.Errorf("files: recover: %w", err)
	}
	notes = slices.DeleteFunc(notes, func(n blob.Note) bool { return !f.abandoned(n) })
	if len(notes) == 0 {
		return nil
	}
	turns := f.clock.Turns()
	old := func() bool { return f.clock.Age() > 0 || f.clock.Turns() != turns }
	if old() {
		return nil
	}
	unwanted := map[string]bool{}
	err = f.store.Read(ctx, func(r store.Reader) error {
		clear(unwanted)
		for _, n := range notes {
			named, err := isNamed(ctx, r, n.Key)
			if err != nil {
				return err
			}
			if !named {
				unwanted[n.Key] = true
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("files: recover: %w", err)
	}
	if old() {
		return nil
	}
	failed := blob.RemoveEach(ctx, f.blobs, slices.Collect(maps.Keys(unwanted)))
	notes = slices.DeleteFunc(notes, func(n blob.Note) bool { return failed[n.Key] != nil })
	err = errors.Join(slices.Collect(maps.Values(failed))...)
	f.log.Info("settled files left undecided by a crash", "notes", len(notes), "removed", len(unwanted)-len(failed))
	if err = errors.Join(err, f.blobs.Settled(ctx, notes)); err != nil {
		return fmt.Errorf("files: recover: %w", err)
	}
	return nil
}

// abandoned tells whether the transaction of a note has ended for certain without
// anybody having settled its files. What an earlier process of this server sent
// may still be on its way to the database for a moment. Of other servers one
// cannot tell whether they live, only that nobody takes so long.
func (f *Files) abandoned(n blob.Note) bool {
	return n.Own && !n.Held && n.Age >= f.grace || n.Age >= blob.Stale
}

// isNamed tells whether a record names the file at key, or the file that it is a
// thumb of.
func isNamed(ctx context.Context, r store.Reader, key string) (bool, error) {
	parts := strings.Split(key, "/")
	c := r.Catalog().Collection(parts[0])
	if len(parts) == 1 {
		return c != nil && c.ID == key, nil
	}
	if len(parts) < 3 {
		return false, nil
	}
	if c == nil || c.ID != parts[0] || c.IsView() {
		return false, nil
	}
	name := parts[2]
	if len(parts) == 4 {
		name = strings.TrimPrefix(name, "thumbs_")
	}
	rec, err := r.Record(ctx, c, parts[1])
	if err != nil {
		if pando.KindOf(err) == pando.KindNotFound {
			return false, nil
		}
		return false, err
	}
	return slices.ContainsFunc(c.Fields, func(f *pando.Field) bool {
		return f.Type == pando.FieldFile && slices.Contains(rec.Strings(f.Name), name)
	}), nil
}
