package collections

import (
	"context"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Delete removes a collection with its records and their files. System
// collections stay, and so do those that others refer to.
func (s *Service) Delete(ctx context.Context, ref string) error {
	now := s.store.Catalog().Collection(ref)
	if now == nil {
		return pando.NotFound()
	}
	return s.removing(ctx, storage(now), func(tx store.Tx) ([]string, error) {
		c := tx.Catalog().Collection(now.ID)
		if c == nil {
			return nil, pando.NotFound()
		}
		if c.System {
			return nil, pando.Invalid(deleteFailed)
		}
		if names := referrers(tx.Catalog(), c); len(names) > 0 {
			return nil, pando.Invalid("Failed to delete collection probably due to existing reference in %s.", strings.Join(names, ", "))
		}
		return storage(c), drop(ctx, tx, c)
	})
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
