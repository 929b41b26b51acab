package files

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
)

// Recover settles what a crash left undecided: a file that its record names
// stays, any other goes, with its thumbs. A note that is only a collection's id
// stands for all its files, which go if there is no such collection. Call it
// before the server serves.
func (f *Files) Recover(ctx context.Context) error {
	keys, err := f.blobs.Pending(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	var unwanted []string
	err = f.store.Read(ctx, func(r store.Reader) error {
		unwanted = unwanted[:0]
		for _, key := range keys {
			named, err := isNamed(ctx, r, key)
			if err != nil {
				return err
			}
			if !named {
				unwanted = append(unwanted, key)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("files: recover: %w", err)
	}
	for _, key := range unwanted {
		if err := f.remove(ctx, key); err != nil {
			return fmt.Errorf("files: recover: %w", err)
		}
	}
	f.log.Info("settled files left undecided by a crash", "kept", len(keys)-len(unwanted), "removed", len(unwanted))
	return f.blobs.Decided(ctx, keys)
}

// remove removes one file with its thumbs, or all files of a collection.
func (f *Files) remove(ctx context.Context, key string) error {
	if !strings.Contains(key, "/") {
		return f.blobs.DeleteAll(ctx, key)
	}
	if err := f.blobs.Delete(ctx, key); err != nil {
		return err
	}
	return f.blobs.DeleteAll(ctx, blob.Thumbs(key))
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
