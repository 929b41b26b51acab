package records

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// Create adds a record and answers with it. It fails with KindNotFound for an
// unknown collection, KindForbidden if the create rule is closed, KindInvalid
// with the failure of each field if the record cannot be accepted, and without
// if the rule refuses it.
func (s *Records) Create(
	ctx context.Context, req *pando.Request, collection string, in pando.Input, pr pando.Projection,
) (pando.Answer, error) {
	return s.writeOne(ctx, func(ps *plans) (*op, error) {
		return s.newOp(ctx, ps, req, create, collection, "", in, pr)
	})
}

// writeOne runs one operation and answers with its record.
func (s *Records) writeOne(ctx context.Context, begin func(*plans) (*op, error)) (pando.Answer, error) {
	var body pando.Answer
	err := s.withCatalog(func(ps *plans) error {
		o, err := begin(ps)
		if err != nil {
			return err
		}
		if err := s.write(ctx, ps, []*op{o}, false); err != nil {
			return err
		}
		body, err = s.answerOf(ctx, o)
		return err
	})
	return body, err
}

// answerOf is the answer to an operation that was carried out: its record, as
// written, with what is around it now. If that cannot be read, the record is shown
// without: whoever is told of a failure would do it again.
func (s *Records) answerOf(ctx context.Context, o *op) (pando.Answer, error) {
	var body []byte
	if len(o.expand) == 0 && (o.req.IsSuperuser() || !o.p.coll.IsAuth()) { // nothing else to be read
		shown := wire.Show{Hidden: o.req.IsSuperuser(), Email: o.req.IsSuperuser()}
		body = o.p.wire.AppendRecord(make([]byte, 0, 1024), o.rec, shown)
	} else if err := s.store.Read(ctx, func(r store.Reader) error {
		var err error
		body, err = s.encodeWritten(ctx, r, o)
		return err
	}); err != nil {
		body = o.bare()
	}
	return o.fields.Pick(body)
}

// bare is the record of an operation as written, without what is around it. Its
// e-mail address is shown to whom it is shown whatever else there is.
func (o *op) bare() []byte {
	own := o.req.IsSuperuser() || isSame(o.req.Auth, o.rec)
	return o.p.wire.AppendRecord(nil, o.rec, wire.Show{Hidden: o.req.IsSuperuser(), Email: own})
}

// encodeWritten is the record of an operation that was committed. If the
// collections have changed since, the record is read again as it is now; if it
// is gone already, it is shown without what was around it.
func (s *Records) encodeWritten(ctx context.Context, r store.Reader, o *op) ([]byte, error) {
	p, rec := o.p, o.rec
	if moved(r, p.of.catalog) != nil {
		if p = s.plansOf(r.Catalog()).collection(o.p.coll.ID); p != nil {
			var err error
			if rec, err = r.Record(ctx, p.coll, o.id); err != nil && !isNotFound(err) {
				return nil, err
			}
		}
		if p == nil || rec == nil {
			return o.bare(), nil
		}
	}
	body, err := s.encode(ctx, r, o.seen, p, rec, o.expand)
	if errors.Is(err, errTooMuch) { // it is written: that is no failure any more
		return s.encode(ctx, r, o.seen, p, rec, nil)
	}
	return body, err
}

// newOp begins an operation: what can be said without looking at the data.
func (s *Records) newOp(
	ctx context.Context, ps *plans, req *pando.Request, k kind, collection, id string, in pando.Input, pr pando.Projection,
) (*op, error) {
	p := ps.collection(collection)
	switch {
	case p == nil && (k == erase || req.Context == "batch"):
		return nil, noCollection()
	case p == nil:
		return nil, &pando.Error{Kind: pando.KindNotFound, Message: "Missing or invalid collection context."}
	case p.coll.IsView():
		return nil, isView()
	case !req.IsSuperuser() && p.access(k).closed():
		return nil, superusersOnly()
	}
	o := &op{kind: k, p: p, req: req, id: id, expand: parseExpand(pr.Expand)}
	var err error
	if o.fields, err = wire.ParseFields(pr.Fields); err != nil || k == erase {
		return o, err
	}
	if o.draft, err = newDraft(ctx, k, p, in, req.IsSuperuser()); err != nil {
		return nil, err
	}
	if k == create {
		if o.id, _ = o.draft.id(p.coll); o.id == "" {
			o.id, err = newID(p.coll)
		}
	}
	return o, err
}

func (p *plan) access(k kind) *access {
	switch k {
	case create:
		return &p.create
	case update:
		return &p.update
	}
	return &p.delete
}

// see makes the request as rules see it, with the submitted body if any rule
// will be asked.
func (o *op) see(rec *pando.Record) *pando.Request {
	o.seen = o.req
	if !o.req.IsSuperuser() && (!o.p.access(o.kind).open() || o.p.coll.IsAuth() || len(o.expand) > 0) {
		req := *o.req
		req.Body = o.draft.body(rec)
		o.seen = &req
	}
	return o.seen
}

// checkCreate makes the new record and judges it; its passwords are plain text
// still.
func (s *Records) checkCreate(ctx context.Context, r store.Reader, o *op) error {
	rec := pando.NewRecord(o.p.coll)
	o.draft.apply(rec)
	rec.Set("id", o.id)
	o.old, o.rec = nil, rec
	req := o.see(rec)
	if err := s.checkCreateRule(ctx, r, req, o, rec); err != nil {
		return err
	}
	if o.p.coll.IsAuth() {
		errs, err := s.checkAuthForm(ctx, r, req, o, nil, rec)
		if err != nil {
			return err
		}
		if len(errs) > 0 {
			return failed(create, errs, nil)
		}
	}
	for i, v := range o.set {
		rec.Values[i] = v
	}
	o.generate(rec)
	stamp(rec, create, s.now())
	fixSystem(rec)
	errs, err := s.validate(ctx, r, o, nil, rec)
	if err != nil {
		return err
	}
	if len(errs) > 0 {
		return failed(create, errs, nil)
	}
	return nil
}

// checkCreateRule asks the create rule about the record as it would be, before
// anything is generated for it.
func (s *Records) checkCreateRule(
	ctx context.Context, r store.Reader, req *pando.Request, o *op, rec *pando.Record,
) error {
	if req.IsSuperuser() || o.p.create.open() {
		return nil
	}
	compiled, err := o.p.create.compile()
	if err != nil {
		return failed(create, nil, err)
	}
	virtual := rec.Clone()
	for i, f := range o.p.coll.Fields {
		if f.Type == pando.FieldPassword && virtual.Values[i] != "" {
			virtual.Values[i] = "*" // there is one; what it is, is nobody's business
		}
	}
	if o.p.coll.IsAuth() {
		virtual.Set("verified", false)
	}
	ok, err := s.matchesVirtual(ctx, r, req, o.p, compiled, virtual)
	if err != nil {
		return err
	}
	if !ok {
		return failed(create, nil, errors.New("records: the create rule does not allow it"))
	}
	return nil
}

// applyCreate adds the record inside a transaction.
func (s *Records) applyCreate(ctx context.Context, tx store.Tx, o *op) error {
	if err := s.checkCreate(ctx, tx, o); err != nil {
		return err
	}
	if err := o.hashPasswords(); err != nil {
		return err
	}
	err := tx.Insert(ctx, o.rec)
	if unique, ok := errors.AsType[*store.UniqueError](err); ok {
		return notUnique(create, unique)
	}
	return err
}

// hashPasswords replaces plain texts by their hashes, which were made before.
func (o *op) hashPasswords() error {
	var missing []plainText
	for i, f := range o.p.coll.Fields {
		if f.Type != pando.FieldPassword || !o.isNew(i) {
			continue
		}
		plain, _ := o.rec.Values[i].(string)
		if plain == "" {
			continue
		}
		h := plainText{i, plain}
		hash, ok := o.hashes[h]
		if !ok {
			missing = append(missing, h)
			continue
		}
		o.rec.Values[i] = hash
	}
	if len(missing) > 0 {
		return &need{op: o, hash: missing}
	}
	return nil
}

// isNew tells whether the field's value was submitted or set by a hook, and not
// just kept.
func (o *op) isNew(i int) bool {
	_, set := o.set[i]
	return set || o.draft.touches(i)
}
