package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
)

// Define makes another database's settings and collections in s, which is
// empty, in one transaction. Views come last, and among them those that others
// are made of first.
//
// Databases differ in what they take: the SQL of a view is that of the database
// it was written for, and so may be an index. What s does not take is left out
// and told to refused, in words; Define fails for anything else. The result is
// what was made.
func Define(ctx context.Context, s Store, settings *pando.Settings, collections []*pando.Collection, refused func(what string)) (made []*pando.Collection, err error) {
	var left []string
	_, err = s.Write(ctx, func(tx Tx) error {
		made, left = nil, nil
		if err := tx.SaveSettings(ctx, settings); err != nil {
			return err
		}
		for _, c := range inOrder(collections) {
			c, out, err := define(ctx, tx, c)
			if err != nil {
				return fmt.Errorf("collection %s: %w", c.Name, err)
			}
			left = append(left, out...)
			if c != nil {
				made = append(made, c)
			}
		}
		return nil
	})
	for _, what := range left {
		refused(what)
	}
	return made, err
}

// define makes one collection without the indexes that the database refuses; no
// collection if it refuses a view's query.
func define(ctx context.Context, tx Tx, c *pando.Collection) (_ *pando.Collection, refused []string, err error) {
	for {
		err := tx.SaveCollection(ctx, nil, c)
		if index, ok := errors.AsType[*IndexError](err); ok && index.Index < len(c.Indexes) {
			refused = append(refused, fmt.Sprintf("index of collection %s: %v. The collection is there without it: %s", c.Name, Words(index.Err), c.Indexes[index.Index]))
			c = c.Clone()
			c.Indexes = slices.Delete(c.Indexes, index.Index, index.Index+1)
			continue
		}
		if c.IsView() && pando.KindOf(err) == pando.KindInvalid {
			return nil, append(refused, fmt.Sprintf("view %s: its query does not work on this database (%s). Write it anew: %s", c.Name, Words(err), c.ViewQuery)), nil
		}
		return c, refused, err
	}
}

// Words is what an error says to people: its message without the cause that it
// quotes.
func Words(err error) string {
	if e, ok := errors.AsType[*pando.Error](err); ok && e.Message != "" {
		return strings.TrimSuffix(e.Message, ".")
	}
	return err.Error()
}

// inOrder lists collections so that each stands after what its query may read:
// tables as they are, then views, each after the views that it names.
func inOrder(collections []*pando.Collection) []*pando.Collection {
	var out, views []*pando.Collection
	for _, c := range collections {
		if c.IsView() {
			views = append(views, c)
		} else {
			out = append(out, c)
		}
	}
	var visit func(v *pando.Collection, path []*pando.Collection)
	visit = func(v *pando.Collection, path []*pando.Collection) {
		if slices.Contains(out, v) || slices.Contains(path, v) {
			return
		}
		for _, other := range views {
			if other != v && strings.Contains(strings.ToLower(v.ViewQuery), strings.ToLower(other.Name)) {
				visit(other, append(path, v))
			}
		}
		out = append(out, v)
	}
	for _, v := range views {
		visit(v, nil)
	}
	return out
}

// InsertTaken writes records of one collection in a transaction or, if the
// database refuses one of them for what it holds, without those that it refuses,
// which are found by halves. taken are the others.
func InsertTaken(ctx context.Context, s Store, recs []*pando.Record, refused func(rec *pando.Record, why string)) (taken []*pando.Record, err error) {
	_, err = s.Write(ctx, func(tx Tx) error { return InsertAll(ctx, tx, recs) })
	switch {
	case err == nil:
		return recs, nil
	case pando.KindOf(err) != pando.KindInvalid:
		return nil, err
	case len(recs) == 1:
		refused(recs[0], Words(err))
		return nil, nil
	}
	first, err := InsertTaken(ctx, s, recs[:len(recs)/2], refused)
	if err != nil {
		return first, err
	}
	second, err := InsertTaken(ctx, s, recs[len(recs)/2:], refused)
	return slices.Concat(first, second), err
}

// BulkTx is a Tx that inserts many records faster than one by one.
type BulkTx interface {
	Tx
	// InsertAll is Insert for each of recs, all of one collection, in order. An
	// error may be of any of them, and none is kept.
	InsertAll(ctx context.Context, recs []*pando.Record) error
}

// InsertAll inserts records of one collection, as fast as the database can.
func InsertAll(ctx context.Context, tx Tx, recs []*pando.Record) error {
	if bulk, ok := tx.(BulkTx); ok {
		return bulk.InsertAll(ctx, recs)
	}
	for _, rec := range recs {
		if err := tx.Insert(ctx, rec); err != nil {
			return fmt.Errorf("record %s: %w", rec.ID(), err)
		}
	}
	return nil
}
