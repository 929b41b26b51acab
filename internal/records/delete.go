package records

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Delete removes a record, and what refers to it as its relations say. It fails
// with KindNotFound if there is none or the delete rule refuses it, KindForbidden
// if that is closed, KindInvalid if a required relation stands against it.
func (s *Records) Delete(ctx context.Context, req *pando.Request, collection, id string) error {
	return s.withCatalog(func(ps *plans) error {
		o, err := s.newOp(ctx, ps, req, erase, collection, id, pando.Input{}, pando.Projection{})
		if err != nil {
			return err
		}
		return s.write(ctx, ps, []*op{o}, false)
	})
}

// checkDelete reads the record and asks the rule.
func (s *Records) checkDelete(ctx context.Context, r store.Reader, o *op) error {
	rec, err := record(ctx, r, o.p.coll, o.id)
	if err != nil {
		return err
	}
	o.old, o.rec = nil, rec
	return s.checkStoredRule(ctx, r, o.req, o, rec)
}

// applyDelete removes the record inside a transaction.
func (s *Records) applyDelete(ctx context.Context, tx store.Tx, o *op) error {
	if err := s.checkDelete(ctx, tx, o); err != nil {
		return err
	}
	if o.p.coll.IsSuperusers() {
		page, err := tx.Find(ctx, store.Query{Collection: o.p.coll, Limit: 2, IDsOnly: true})
		if err != nil {
			return err
		}
		if len(page.Records) < 2 {
			return pando.Invalid("You can't delete the only existing superuser.")
		}
	}
	run := cascade{s: s, tx: tx, plans: o.p.of, deleting: map[[2]string]bool{}, now: s.now()}
	err := run.remove(ctx, o.p, o.rec)
	o.removed = run.files
	return err
}
