package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// Find answers a query.
func (r *reader) Find(ctx context.Context, q store.Query) (store.Page, error) {
	page := store.Page{Total: -1}
	if err := r.use(ctx); err != nil {
		return page, err
	}
	now := time.Now()
	if q.Total {
		n, err := r.total(ctx, q, now)
		if err != nil {
			return page, r.failed(q.Collection, err)
		}
		page.Total = n
	}
	var err error
	page.Records, err = r.find(q, now)
	if err != nil {
		return store.Page{Total: -1}, r.failed(q.Collection, err)
	}
	return page, nil
}

func (r *reader) find(q store.Query, now time.Time) ([]*pando.Record, error) {
	sql, args, err := selectSQL(q, now)
	if err != nil || sql == "" {
		return []*pando.Record{}, err
	}
	p := r.s.plans.of(q.Collection)
	decode := p.decode
	if q.IDsOnly {
		decode = p.decodeID
	}
	recs := make([]*pando.Record, 0, min(max(q.Limit, 0), 500))
	err = r.c.each(sql, func(row *stmt) error {
		recs = append(recs, decode(row))
		return nil
	}, args...)
	return recs, err
}

// total counts all records that match. Without conditions, the answer is known.
func (r *reader) total(ctx context.Context, q store.Query, now time.Time) (int, error) {
	whole := len(q.Match) == 0 && len(q.Where) == 0 && q.After == "" && q.Virtual == nil &&
		!slices.ContainsFunc(q.Sort, rule.SortKey.Restricts)
	if whole && !q.Collection.IsView() {
		return r.count(ctx, q.Collection)
	}
	sql, args, err := countSQL(q, now)
	if err != nil || sql == "" {
		return 0, err
	}
	n, ok, err := r.c.queryInt(sql, args...)
	if err == nil && !ok {
		err = fmt.Errorf("count: no row")
	}
	return int(n), err
}
