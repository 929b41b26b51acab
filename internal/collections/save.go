package collections

import (
	"context"
	"errors"
	"reflect"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/store"
)

// apply takes a merged definition the rest of its way: it is completed,
// validated and saved, and the views that read it follow. old is the stored
// definition, nil if c is new. failed is the message of the call.
func apply(ctx context.Context, tx store.Tx, old, c *pando.Collection, failed string) error {
	query, err := prepare(ctx, tx, old, c)
	if err != nil {
		return err
	}
	if errs := validate(tx.Catalog(), old, c, query); len(errs) > 0 {
		return invalid(failed, errs)
	}
	if err := save(ctx, tx, old, c, failed); err != nil {
		return err
	}
	return refreshViews(ctx, tx, c, failed)
}

// prepare completes c; the *FieldError is what is wrong with a view's query.
func prepare(ctx context.Context, r store.Reader, old, c *pando.Collection) (*pando.FieldError, error) {
	complete(c, old)
	if !c.IsView() {
		return nil, nil
	}
	c.Fields = nil
	if c.ViewQuery == "" {
		return nil, nil
	}
	fields, query, err := viewFields(ctx, r, c)
	if err != nil {
		return nil, err
	}
	keepClones(fields, old)
	c.Fields = fields
	return query, nil
}

func save(ctx context.Context, tx store.Tx, old, c *pando.Collection, failed string) error {
	err := tx.SaveCollection(ctx, old, c)
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*store.IndexError](err); ok && bad.Index < len(c.Indexes) {
		name := ""
		if d, err := indexdef.Parse(c.Indexes[bad.Index]); err == nil {
			name = d.Name
		}
		why := bad.Err.Error()
		if e, ok := errors.AsType[*pando.Error](bad.Err); ok && e.Message != "" {
			why = sqlWords(e.Message)
		}
		return invalid(failed, pando.FieldErrors{"indexes": indexErrors(bad.Index, name, why)})
	}
	return refused(failed, err)
}

// refreshViews brings the fields of the views that read c up to date. A view
// that does not work (any more) keeps its fields: the store has seen to it that
// a change breaks none.
func refreshViews(ctx context.Context, tx store.Tx, c *pando.Collection, failed string) error {
	for _, view := range tx.Catalog().Collections {
		if !view.IsView() || view.ID == c.ID {
			continue
		}
		fields, query, err := viewFields(ctx, tx, view)
		if err != nil {
			return err
		}
		if query != nil {
			continue
		}
		keepClones(fields, view)
		if reflect.DeepEqual(fields, view.Fields) {
			continue
		}
		next := view.Clone()
		next.Fields, next.Updated = fields, now()
		if err := save(ctx, tx, view, next, failed); err != nil {
			return err
		}
	}
	return nil
}
