package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
)

// runRules asks the store what the evaluator in memory is asked too: the files
// of internal/rule/testdata.
func runRules(t *testing.T, b Backend) {
	ruletest.Run(t, func(t *testing.T, w *ruletest.World) ruletest.Engine {
		s := b.Open(t, position.NewIndex(0), new(batches))
		load(t, s, w)
		return ruleEngine{s}
	})
}

// load stores a world: tables first, then views, then records.
func load(t *testing.T, s store.Store, w *ruletest.World) {
	t.Helper()
	_, err := s.Write(t.Context(), func(tx store.Tx) error {
		for _, views := range []bool{false, true} {
			for _, c := range w.Collections {
				if c.IsView() != views {
					continue
				}
				if err := tx.SaveCollection(t.Context(), nil, c); err != nil {
					return fmt.Errorf("collection %s: %w", c.Name, err)
				}
			}
		}
		for _, r := range w.Records {
			if r.Collection.IsView() {
				continue
			}
			if err := tx.Insert(t.Context(), r); err != nil {
				return fmt.Errorf("record %s of %s: %w", r.ID(), r.Collection.Name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type ruleEngine struct{ s store.Store }

func (ruleEngine) Sorts() bool { return true }

func (e ruleEngine) Find(ctx context.Context, q ruletest.Question) ([]string, error) {
	query := store.Query{Collection: q.Collection, Sort: q.Sort, Virtual: q.Virtual, Total: true}
	if q.Rule != nil {
		query.Where = []store.Condition{{Rule: q.Rule, Request: q.Request, Now: q.Now}}
	}
	var ids []string
	err := e.s.Read(ctx, func(r store.Reader) error {
		page, err := r.Find(ctx, query)
		if err != nil {
			return err
		}
		ids = nil
		for _, rec := range page.Records {
			ids = append(ids, rec.ID())
		}
		if page.Total != len(ids) {
			return fmt.Errorf("total %d of %d records", page.Total, len(ids))
		}
		return nil
	})
	return ids, err
}
