package records

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// need is what a try ends with that misses something that must not, or cannot,
// be done inside a transaction.
type need struct {
	op     *op
	hash   []plainText
	verify string   // the stored hash to compare the old password with
	note   []string // keys of files that are about to lose their record
}

func (*need) Error() string { return "records: something is to be done outside the transaction first" }

// try runs f, and again as long as it ends with a need, which is met.
func (w *writing) try(ctx context.Context, f func(context.Context) error) error {
	var err error
	for range maxRestarts + len(w.ops) {
		if err = f(ctx); err == nil {
			return nil
		}
		n, isNeed := errors.AsType[*need](err)
		if !isNeed {
			return err
		}
		if err := w.meet(ctx, n); err != nil {
			return err
		}
	}
	return changing(err)
}

func (w *writing) meet(ctx context.Context, n *need) error {
	for _, h := range n.hash {
		if err := w.hash(ctx, n.op, h); err != nil {
			return err
		}
	}
	if n.verify != "" {
		ok, err := w.s.passwords.Verify(ctx, n.verify, n.op.draft.form.old)
		if err != nil {
			return err
		}
		if n.op.verified == nil {
			n.op.verified = map[string]bool{}
		}
		n.op.verified[n.verify] = ok
	}
	return w.note(ctx, n.note)
}

func (w *writing) hash(ctx context.Context, o *op, h plainText) error {
	if _, done := o.hashes[h]; done {
		return nil
	}
	options := o.p.coll.Fields[h.field].Options.(*pando.PasswordOptions)
	hash, err := w.s.passwords.Hash(ctx, h.text, options.Cost)
	if err != nil {
		if pando.KindOf(err) == pando.KindInvalid {
			return failed(o.kind, nil, err)
		}
		return err
	}
	if o.hashes == nil {
		o.hashes = map[plainText]string{}
	}
	o.hashes[h] = hash
	return nil
}

// hashAll hashes the submitted passwords of a batch before its transaction is
// tried for the first time, so that not each of them ends one try.
func (w *writing) hashAll(ctx context.Context) error {
	for i, o := range w.ops {
		if !w.batch || o.draft == nil {
			continue
		}
		for _, c := range o.draft.changes {
			f := o.p.coll.Fields[c.field]
			plain, _ := c.value.(string)
			if f.Type != pando.FieldPassword || plain == "" || field.Check(f, plain) != nil {
				continue
			}
			if err := w.hash(ctx, o, plainText{c.field, plain}); err != nil {
				return w.failure(i, err)
			}
		}
	}
	return nil
}
