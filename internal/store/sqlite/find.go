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
	if q.Total && q.Limit > 0 && r.scans(q) {
		recs, n, err := r.findFew(q, now)
		if err != nil {
			return page, r.failed(q.Collection, err)
		}
		if recs != nil {
			return store.Page{Records: recs, Total: n}, nil
		}
	}
	if q.Total {
		n, err := r.total(ctx, q, now)
		if err != nil {
			return page, r.failed(q.Collection, err)
		}
		page.Total = n
	}
	sql, args, err := selectSQL(q, now)
	if err == nil {
		page.Records, err = r.records(q, sql, args)
	}
	if err != nil {
		return store.Page{Total: -1}, r.failed(q.Collection, err)
	}
	return page, nil
}

// fewRows is how many matches are few.
const fewRows = 500

// findFew answers a query for a page and a total with one scan where few records
// match: it remembers their rows, counts them, and sorts these only. Without it
// the total scans the table and the page does so again, since a page by an index
// walks the index to its end when it does not fill. Many matches are found soon,
// so little is lost when it gives up and returns nil.
func (r *reader) findFew(q store.Query, now time.Time) ([]*pando.Record, int, error) {
	sql, args, err := rowsSQL(q, now, fewRows+1)
	if err != nil || sql == "" {
		return []*pando.Record{}, 0, err
	}
	rows := make([]int64, 0, 64)
	err = r.c.each(sql, func(row *stmt) error {
		rows = append(rows, row.int(0))
		return nil
	}, args...)
	if err != nil || len(rows) > fewRows {
		return nil, 0, err
	}
	if sql, args, err = amongSQL(q, now, rows); err != nil {
		return nil, 0, err
	}
	recs, err := r.records(q, sql, args)
	return recs, len(rows), err
}

// scans tells whether a query reads a table of its own under conditions.
func (r *reader) scans(q store.Query) bool {
	return len(q.Where) > 0 && !q.Collection.IsView() && q.Virtual == nil
}

// records runs a statement for the records of q; "" has none.
func (r *reader) records(q store.Query, sql string, args []any) ([]*pando.Record, error) {
	if sql == "" {
		return []*pando.Record{}, nil
	}
	p := r.s.plans.of(q.Collection)
	decode := p.decode
	if q.IDsOnly {
		decode = p.decodeID
	}
	recs := make([]*pando.Record, 0, min(max(q.Limit, 0), 500))
	err := r.c.each(sql, func(row *stmt) error {
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
