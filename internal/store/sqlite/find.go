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
	var rows []int64 // of all that match, if known
	if r.searches(q) {
		var err error
		if rows, err = r.search(q, now); err != nil {
			return page, r.failed(q.Collection, err)
		}
	}
	if rows != nil {
		page.Total = len(rows)
	} else if q.Total {
		n, err := r.total(ctx, q, now)
		if err != nil {
			return page, r.failed(q.Collection, err)
		}
		page.Total = n
	}
	var err error
	if rows != nil && len(rows) <= fewRows {
		page.Records, err = r.pageAmong(q, now, rows)
	} else {
		page.Records, err = r.page(q, now)
	}
	if err != nil {
		return store.Page{Total: -1}, r.failed(q.Collection, err)
	}
	return page, nil
}

// page is the records of a query.
func (r *reader) page(q store.Query, now time.Time) ([]*pando.Record, error) {
	sql, args, err := selectSQL(q, now)
	if err != nil || sql == "" {
		return []*pando.Record{}, err
	}
	p := r.s.plans.Of(q.Collection)
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

// fewRows is how many matches are few: to sort them is cheaper than to walk an
// index until enough of them were met.
const fewRows = 500

// pageAmong is page where the rows of all that match are known. The conditions
// are asked again, so that a row too many could never be shown to anybody.
func (r *reader) pageAmong(q store.Query, now time.Time, rows []int64) ([]*pando.Record, error) {
	if len(rows) == 0 {
		return []*pando.Record{}, nil
	}
	sql, args, err := pageRowsSQL(q, now, rows)
	if err != nil || sql == "" {
		return []*pando.Record{}, err
	}
	if rows, _, err = r.rows(sql, args); err != nil {
		return nil, err
	}
	p := r.s.plans.Of(q.Collection)
	decode, byRow := p.decode, p.byRow
	if q.IDsOnly {
		decode, byRow = p.decodeID, p.idByRow
	}
	one, err := r.c.prepare(byRow)
	if err != nil {
		return nil, err
	}
	defer one.reset()
	recs := make([]*pando.Record, 0, len(rows))
	for _, row := range rows {
		one.reset()
		one.bindInt(0, row)
		found, err := one.step()
		if err != nil {
			return nil, err
		}
		if found {
			recs = append(recs, decode(one))
		}
	}
	return recs, nil
}

// searches tells whether a query wants a page and a total of those records of a
// table that meet conditions.
func (r *reader) searches(q store.Query) bool {
	return q.Total && q.Limit > 0 && len(q.Where) > 0 && !q.Collection.IsView() && q.Virtual == nil
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
