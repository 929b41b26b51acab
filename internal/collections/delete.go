package collections

import (
	"context"
	"errors"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Delete removes a collection with its records and their files. System
// collections stay, and so do those that others refer to.
func (s *Service) Delete(ctx context.Context, ref string) error {
	var c *pando.Collection
	_, err := s.store.Write(ctx, func(tx store.Tx) error {
		if c = tx.Catalog().Collection(ref); c == nil {
			return pando.NotFound()
		}
		if c.System {
			return pando.Invalid(deleteFailed)
		}
		if names := referrers(tx.Catalog(), c); len(names) > 0 {
			return pando.Invalid("Failed to delete collection probably due to existing reference in %s.", strings.Join(names, ", "))
		}
		return drop(ctx, tx, c)
	})
	if err != nil {
		return err
	}
	return s.deleteFiles(ctx, c)
}

// referrers names the other collections with a relation to c.
func referrers(catalog *store.Catalog, c *pando.Collection) []string {
	var names []string
	for _, other := range catalog.Collections {
		if other.ID != c.ID && len(relationsTo(other, c)) > 0 {
			names = append(names, other.Name)
		}
	}
	return names
}

// relationsTo is the fields of from that hold ids of c's records.
func relationsTo(from, c *pando.Collection) []*pando.Field {
	var fields []*pando.Field
	for _, f := range from.Fields {
		if o, ok := f.Options.(*pando.RelationOptions); ok && o.CollectionID == c.ID {
			fields = append(fields, f)
		}
	}
	return fields
}

// drop removes c, and what the system collections know of its records.
func drop(ctx context.Context, tx store.Tx, c *pando.Collection) error {
	if err := forget(ctx, tx, c); err != nil {
		return err
	}
	return refused(deleteFailed, tx.DeleteCollection(ctx, c))
}

// companions are the system collections that hold something about the records of
// others, under collectionRef.
var companions = []string{"_externalAuths", "_mfas", "_otps", "_authOrigins"}

// forget removes what the system collections hold about the records of c.
func forget(ctx context.Context, tx store.Tx, c *pando.Collection) error {
	if !c.IsAuth() {
		return nil
	}
	for _, name := range companions {
		companion := tx.Catalog().Collection(name)
		if companion == nil {
			continue
		}
		page, err := tx.Find(ctx, store.Query{
			Collection: companion, Match: []store.Match{{Field: "collectionRef", Value: c.ID}},
		})
		if err != nil {
			return err
		}
		for _, rec := range page.Records {
			if err := tx.Delete(ctx, rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteFiles removes the files of all records of c, which are gone for good.
func (s *Service) deleteFiles(ctx context.Context, c *pando.Collection) error {
	if s.blobs == nil || c.IsView() {
		return nil
	}
	return s.blobs.DeleteAll(context.WithoutCancel(ctx), c.ID)
}

const truncateFailed = "Failed to truncate collection (most likely due to required cascade delete record references)."

// Truncate removes all records of a collection, and their files.
func (s *Service) Truncate(ctx context.Context, ref string) error {
	var c *pando.Collection
	_, err := s.store.Write(ctx, func(tx store.Tx) error {
		c = tx.Catalog().Collection(ref)
		switch {
		case c == nil:
			return pando.NotFound()
		case c.IsView():
			return pando.Invalid("View collections cannot be truncated since they don't store their own records.")
		case c.IsSuperusers():
			return pando.Invalid("Superusers cannot be removed all at once: nobody could log in any more.")
		}
		if err := forget(ctx, tx, c); err != nil {
			return err
		}
		referred, err := isReferred(ctx, tx, c)
		if err != nil {
			return err
		}
		if referred {
			return s.deleteEach(ctx, tx, c)
		}
		return tx.Truncate(ctx, c)
	})
	if err != nil {
		return err
	}
	return s.deleteFiles(ctx, c)
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

// deleteEach removes the records one by one, as their own API would, so that
// referrers follow or object.
func (s *Service) deleteEach(ctx context.Context, tx store.Tx, c *pando.Collection) error {
	if s.deleteRecord == nil {
		return pando.Invalid(truncateFailed)
	}
	const batch = 500
	for {
		// Records go from the front, cascades may take others with them: what
		// is first is always still there.
		page, err := tx.Find(ctx, store.Query{Collection: c, Limit: batch})
		if err != nil || len(page.Records) == 0 {
			return err
		}
		for _, rec := range page.Records {
			if rec, err = tx.Record(ctx, c, rec.ID()); pando.KindOf(err) == pando.KindNotFound {
				continue
			} else if err != nil {
				return err
			}
			if err := s.deleteRecord(ctx, tx, rec); err != nil {
				if e, ok := errors.AsType[*pando.Error](err); ok && e.Kind == pando.KindInvalid {
					return &pando.Error{Kind: pando.KindInvalid, Message: truncateFailed, Err: err}
				}
				return err
			}
		}
	}
}
