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
// stays, any other goes, with its thumbs. Call it before the server serves.
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
		if err := f.blobs.Delete(ctx, key); err != nil {
			return fmt.Errorf("files: recover: %w", err)
		}
		if err := f.blobs.DeleteAll(ctx, blob.Thumbs(key)); err != nil {
			return fmt.Errorf("files: recover: %w", err)
		}
	}
	f.log.Info("settled files left undecided by a crash", "kept", len(keys)-len(unwanted), "removed", len(unwanted))
	return f.blobs.Decided(ctx, keys)
}

// isNamed tells whether a record names the file at key, or the file that it is a
// thumb of.
func isNamed(ctx context.Context, r store.Reader, key string) (bool, error) {
	parts := strings.Split(key, "/")
	if len(parts) < 3 {
		return false, nil
	}
	c := r.Catalog().Collection(parts[0])
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
