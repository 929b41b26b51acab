package records

import (
	"context"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// cascadePage is how many referrers are looked up at once.
const cascadePage = 1000

// cascade deletes a record and everything that cannot be without it.
type cascade struct {
	s        *Records
	tx       store.Tx
	plans    *plans
	deleting map[[2]string]bool // collection and record id; relations may run in circles
	files    []string           // of the records that are gone
	now      time.Time
}

// remove deletes rec. What refers to it is settled first, so that whoever looks
// at the transaction never finds a relation that leads nowhere.
func (c *cascade) remove(ctx context.Context, p *plan, rec *pando.Record) error {
	key := [2]string{p.coll.ID, rec.ID()}
	if c.deleting[key] {
		return nil
	}
	c.deleting[key] = true
	deletion, err := c.s.beforeDelete(ctx, c.tx, rec)
	if err != nil {
		return err
	}
	for _, ref := range p.referrers() {
		if err := c.settle(ctx, ref, rec.ID()); err != nil {
			return err
		}
	}
	if p.coll.IsAuth() {
		if err := c.s.deleteRefs(ctx, c.tx, rec, refCollections...); err != nil {
			return err
		}
	}
	// A record that refers to itself, or in a circle, may have been changed by now.
	now, err := c.tx.Record(ctx, p.coll, rec.ID())
	if err != nil {
		return err
	}
	c.files = append(c.files, fileKeys(rec)...)
	return c.tx.Delete(deletion, now)
}

// settle takes id out of one relation field of all records: they are deleted
// with it, or changed, or stand against it.
func (c *cascade) settle(ctx context.Context, ref referrer, id string) error {
	ids, err := c.referring(ctx, ref, id)
	if err != nil {
		return err
	}
	for _, other := range ids {
		if c.deleting[[2]string{ref.coll.ID, other}] {
			continue
		}
		rec, err := c.tx.Record(ctx, ref.coll, other)
		if isNotFound(err) {
			continue // gone with another
		}
		if err != nil {
			return err
		}
		if err := c.unlink(ctx, ref, rec, id); err != nil {
			return err
		}
	}
	return nil
}

// referring lists the records whose field holds id.
func (c *cascade) referring(ctx context.Context, ref referrer, id string) ([]string, error) {
	q := store.Query{
		Collection: ref.coll, Limit: cascadePage, IDsOnly: true,
		Match: []store.Match{{Field: ref.field.Name, Value: id}},
	}
	var ids []string
	for {
		page, err := c.tx.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, rec := range page.Records {
			ids = append(ids, rec.ID())
		}
		if len(page.Records) < cascadePage {
			return ids, nil
		}
		q.After = ids[len(ids)-1]
	}
}

// unlink takes id out of rec's field. A cascading relation that is left empty
// takes its record along; a required one must not be left empty.
func (c *cascade) unlink(ctx context.Context, ref referrer, rec *pando.Record, id string) error {
	rest := slices.DeleteFunc(slices.Clone(rec.Strings(ref.field.Name)), func(s string) bool { return s == id })
	if len(rest) == 0 {
		if ref.field.Options.(*pando.RelationOptions).CascadeDelete {
			return c.remove(ctx, c.plans.plan(ref.coll), rec)
		}
		if ref.field.Required {
			return pando.Invalid(
				"Failed to delete record. Make sure that the record is not part of a required relation reference.")
		}
	}
	next := rec.Clone()
	if ref.field.Multiple() {
		next.Set(ref.field.Name, rest)
	} else {
		next.Set(ref.field.Name, "")
	}
	stamp(next, update, c.now)
	return c.tx.Update(ctx, rec, next)
}
