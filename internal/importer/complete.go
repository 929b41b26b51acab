package importer

import (
	"context"
	"fmt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

const tokenKeyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// complete gives rec what a record needs that its row did not say, and checks
// that the records it relates to exist.
func (w *writing) complete(ctx context.Context, rec *pando.Record) error {
	for i, f := range rec.Collection.Fields {
		switch o := f.Options.(type) {
		case *pando.TextOptions:
			if rec.Values[i] == "" && o.AutogeneratePattern != "" {
				text, err := field.Generate(o.AutogeneratePattern)
				if err != nil {
					return err
				}
				rec.Values[i] = text
			}
		case *pando.AutodateOptions:
			if rec.Values[i] == "" {
				rec.Values[i] = w.now
			}
		case *pando.RelationOptions:
			if err := w.related(ctx, f, o, rec.Strings(f.Name)); err != nil {
				return err
			}
		}
	}
	if rec.Collection.IsAuth() && rec.String("tokenKey") == "" {
		rec.Set("tokenKey", pando.RandomString(50, tokenKeyAlphabet))
	}
	return nil
}

func (w *writing) related(ctx context.Context, f *pando.Field, o *pando.RelationOptions, ids []string) error {
	for _, id := range ids {
		if w.known[o.CollectionID+id] {
			continue
		}
		target := w.tx.Catalog().Collection(o.CollectionID)
		if target == nil {
			return rowError{fmt.Errorf("%s: its collection is gone", f.Name)}
		}
		found, err := w.tx.Records(ctx, target, []string{id})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return rowError{fmt.Errorf("%s: %s has no record with the id %s", f.Name, target.Name, quoted(id))}
		}
		w.known[o.CollectionID+id] = true
	}
	return nil
}
