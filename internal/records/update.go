package records

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// Update changes a record and answers with it. It fails as Create does, and
// with KindNotFound if there is no such record or the update rule refuses it.
func (s *Records) Update(
	ctx context.Context, req *pando.Request, collection, id string, in pando.Input, pr pando.Projection,
) (pando.Answer, error) {
	return s.writeOne(ctx, func(ps *plans) (*op, error) {
		return s.newOp(ctx, ps, req, update, collection, id, in, pr)
	})
}

// checkUpdate reads the record, makes the new one and judges it; new passwords
// are plain text still.
func (s *Records) checkUpdate(ctx context.Context, r store.Reader, o *op) error {
	old, err := record(ctx, r, o.p.coll, o.id)
	if err != nil {
		return err
	}
	rec := old.Clone()
	o.draft.apply(rec)
	o.old, o.rec = old, rec
	req := o.see(rec)
	if err := s.checkStoredRule(ctx, r, req, o, old); err != nil {
		return err
	}
	if o.p.coll.IsAuth() {
		errs, err := s.checkAuthForm(ctx, r, req, o, old, rec)
		if err != nil {
			return err
		}
		if len(errs) > 0 {
			return failed(update, errs, nil)
		}
	}
	for i, v := range o.set {
		rec.Values[i] = v
	}
	stamp(rec, update, s.now())
	fixSystem(rec)
	errs, err := s.validate(ctx, r, o, old, rec)
	if err != nil {
		return err
	}
	if len(errs) > 0 {
		return failed(update, errs, nil)
	}
	return nil
}

// checkStoredRule asks the rule of an update or a deletion about the record as
// it is stored. Whoever is refused is not told that it exists.
func (s *Records) checkStoredRule(
	ctx context.Context, r store.Reader, req *pando.Request, o *op, rec *pando.Record,
) error {
	ok, err := s.allowed(ctx, r, req, o.p, o.p.access(o.kind), []*pando.Record{rec})
	if unable(err) {
		return err
	}
	if err != nil || !ok[0] {
		return notFound(err)
	}
	return nil
}

// applyUpdate changes the record inside a transaction.
func (s *Records) applyUpdate(ctx context.Context, tx store.Tx, o *op) error {
	if err := s.checkUpdate(ctx, tx, o); err != nil {
		return err
	}
	if err := o.hashPasswords(); err != nil {
		return err
	}
	if o.p.coll.IsAuth() {
		if email, password := credentialsChanged(o.old, o.rec); email || password {
			o.rotateTokenKey(o.old, o.rec)
		}
		if err := s.verifiedNow(ctx, tx, o, o.old, o.rec); err != nil {
			return err
		}
	}
	err := tx.Update(ctx, o.old, o.rec)
	if unique, ok := errors.AsType[*store.UniqueError](err); ok {
		return notUnique(update, unique)
	}
	if err != nil {
		return err
	}
	if o.p.coll.IsAuth() {
		if err := s.afterAuthUpdate(ctx, tx, o.old, o.rec); err != nil {
			return err
		}
	}
	o.removed = lostFiles(o.old, o.rec)
	return nil
}

// lostFiles lists the files that old names and rec does not.
func lostFiles(old, rec *pando.Record) []string {
	kept := map[string]bool{}
	for _, key := range fileKeys(rec) {
		kept[key] = true
	}
	var lost []string
	for _, key := range fileKeys(old) {
		if !kept[key] {
			lost = append(lost, key)
		}
	}
	return lost
}
