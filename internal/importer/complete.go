package importer

import (
	"context"
	"fmt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
	"github.com/pandobase/pando/internal/store"
)

const tokenKeyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// complete gives rec what a record needs that its row did not say, and checks
// that the records it relates to exist.
func complete(ctx context.Context, tx store.Tx, rec *pando.Record, now string) error {
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
				rec.Values[i] = now
			}
		case *pando.RelationOptions:
			if err := related(ctx, tx, f, o, rec.Strings(f.Name)); err != nil {
				return err
			}
		}
	}
	if rec.Collection.IsAuth() && rec.String("tokenKey") == "" {
		rec.Set("tokenKey", pando.RandomString(50, tokenKeyAlphabet))
	}
	return nil
}

func related(ctx context.Context, tx store.Tx, f *pando.Field, o *pando.RelationOptions, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	target := tx.Catalog().Collection(o.CollectionID)
	if target == nil {
		return rowError{fmt.Errorf("%s: its collection is gone", f.Name)}
	}
	found, err := tx.Records(ctx, target, ids)
	if err != nil {
		return err
	}
	if len(found) != len(ids) {
		return rowError{fmt.Errorf("%s: no %s with id %v", f.Name, target.Name, ids)}
	}
	return nil
}
