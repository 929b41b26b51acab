package collections

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/store"
)

const truncateFailed = "Failed to truncate collection (most likely due to required cascade delete record references)."

// Truncate removes all records of a collection, and their files.
func (s *Service) Truncate(ctx context.Context, ref string) error {
	return s.removing(ctx, nil, func(tx store.Tx) ([]string, error) {
		c := tx.Catalog().Collection(ref)
		switch {
		case c == nil:
			return nil, pando.NotFound()
		case c.IsView():
			return nil, pando.Invalid("View collections cannot be truncated since they don't store their own records.")
		case c.IsSuperusers():
			return nil, pando.Invalid("Superusers cannot be removed all at once: nobody could log in any more.")
		}
		if err := forget(ctx, tx, c); err != nil {
			return nil, err
		}
		return s.empty(ctx, tx, c)
	})
}

// empty removes the records of c and returns the keys of their files.
func (s *Service) empty(ctx context.Context, tx store.Tx, c *pando.Collection) ([]string, error) {
	referred, err := isReferred(ctx, tx, c)
	if err != nil {
		return nil, err
	}
	each := referred || s.clear != nil && s.watched != nil && s.watched(c)
	if !each {
		files, err := fileKeys(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		return files, tx.Truncate(ctx, c)
	}
	if s.clear == nil {
		return nil, pando.Invalid(truncateFailed)
	}
	files, err := s.clear(ctx, tx, c)
	if e, ok := errors.AsType[*pando.Error](err); ok && e.Kind == pando.KindInvalid {
		return nil, &pando.Error{Kind: pando.KindInvalid, Message: truncateFailed, Err: err}
	}
	return files, err
}

// isReferred tells whether a record of another collection may hold an id of c's.
func isReferred(ctx context.Context, tx store.Tx, c *pando.Collection) (bool, error) {
	for _, other := range tx.Catalog().Collections {
		if other.ID == c.ID || other.IsView() || len(relationsTo(other, c)) == 0 {
			continue
		}
		page, err := tx.Find(ctx, store.Query{Collection: other, Limit: 1, IDsOnly: true})
		if err != nil {
			return false, err
		}
		if len(page.Records) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// fileKeys is the keys of all files that the records of c name.
func fileKeys(ctx context.Context, r store.Reader, c *pando.Collection) ([]string, error) {
	var fields []string
	for _, f := range c.Fields {
		if f.Type == pando.FieldFile {
			fields = append(fields, f.Name)
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	const batch = 1000
	var keys []string
	q := store.Query{Collection: c, Limit: batch}
	for {
		page, err := r.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, rec := range page.Records {
			for _, name := range fields {
				for _, file := range rec.Strings(name) {
					keys = append(keys, blob.Key(c.ID, rec.ID(), file))
				}
			}
			q.After = rec.ID()
		}
		if len(page.Records) < batch {
			return keys, nil
		}
	}
}
