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
	var err error
	o.removed, err = s.DeleteRecord(ctx, tx, o.rec)
	return err
}

// DeleteRecord removes a record that was read in this transaction, and what
// refers to it as its relations say, whoever asks. It answers with the keys of
// the files that belong to no record any more once the transaction is committed,
// and fails with KindInvalid if a required relation stands against it.
func (s *Records) DeleteRecord(ctx context.Context, tx store.Tx, rec *pando.Record) ([]string, error) {
	ps := s.plansOf(tx.Catalog())
	p := ps.collection(rec.Collection.ID)
	if p == nil {
		return nil, noCollection()
	}
	c := cascade{s: s, tx: tx, plans: ps, deleting: map[[2]string]bool{}, now: s.now()}
	err := c.remove(ctx, p, rec)
	return c.files, err
}
