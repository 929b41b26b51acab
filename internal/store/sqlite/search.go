package sqlite

import (
	"context"
	"slices"
	"time"

	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// search finds the rows of all records of a query that asks for a page and a
// total, ascending; nil if they are too many. With them the table is read once
// instead of twice, since a page by an index walks the index to its end when it
// does not fill; or not at all, if an earlier search can be brought up to date.
// Many matches are found soon, so little is lost when it gives up.
func (r *reader) search(q store.Query, now time.Time) ([]int64, error) {
	key, most := "", fewRows
	if r.remembers(q) {
		most = matchesMost
	}
	sql, args, err := rowsSQL(q, now, most+1)
	if err != nil || sql == "" {
		return []int64{}, err
	}
	if most == matchesMost {
		key = matchKey(sql, args)
	}
	if key != "" {
		if s, err := r.recall(key, q, now); s != nil || err != nil {
			return s.matching(), err
		}
	}
	rows, steps, err := r.rows(sql, args)
	if err != nil {
		return nil, err
	}
	slices.Sort(rows)
	csn := uint64(r.Stamp())
	s := &matchSet{key: key, table: q.Collection.Name, csn: csn, touched: csn, rows: rows, steps: steps}
	if s.many = len(rows) > most; s.many {
		s.rows = nil
	}
	if key != "" && steps >= r.s.opts.RememberFrom {
		r.s.matches.keep(s)
	}
	return s.matching(), nil
}

// recall brings an earlier search up to date; nil if there is none that can be.
func (r *reader) recall(key string, q store.Query, now time.Time) (*matchSet, error) {
	csn := uint64(r.Stamp())
	s, changed := r.s.matches.get(key, csn)
	if s == nil || s.many || s.csn == csn {
		return s, nil
	}
	if mutant.RowsUnmoved {
		changed = nil
	}
	var found []int64
	if len(changed) > 0 {
		sql, args, err := rowsAmongSQL(q, now, changed)
		if err != nil {
			return nil, err
		}
		if found, _, err = r.rows(sql, args); err != nil {
			return nil, err
		}
	}
	s = s.moved(csn, changed, found)
	r.s.matches.keep(s)
	return s, nil
}

// Unchanged implements store.Rememberer.
func (r *reader) Unchanged(ctx context.Context, q store.Query, since position.N) (bool, error) {
	if err := r.use(ctx); err != nil {
		return false, err
	}
	if !r.searches(q) || !r.remembers(q) || !q.OwnOnly() {
		return false, nil
	}
	now := time.Now()
	sql, args, err := rowsSQL(q, now, matchesMost+1)
	if err != nil || sql == "" {
		return false, err
	}
	s, err := r.recall(matchKey(sql, args), q, now)
	return s != nil && !s.many && s.touched <= uint64(since), err
}

// remembers tells whether the result of a search hangs on nothing but each row
// by itself, and comes from a snapshot.
func (r *reader) remembers(q store.Query) bool {
	if r.inTx || r.s.opts.RememberFrom < 0 || q.After != "" || slices.ContainsFunc(q.Sort, rule.SortKey.Restricts) {
		return false
	}
	return !slices.ContainsFunc(q.Where, func(w store.Condition) bool { return !w.Rule.Local() || w.Rule.Volatile() })
}

// rows runs a statement for the numbers of rows, as they come, and tells how many
// steps of SQLite's machine it took.
func (r *reader) rows(sql string, args []any) (rows []int64, steps int, err error) {
	q, err := r.c.prepare(sql)
	if err != nil {
		return nil, 0, err
	}
	defer q.reset()
	q.steps()
	q.bindAll(args)
	rows = make([]int64, 0, 64)
	for {
		row, err := q.step()
		if err != nil {
			return nil, 0, err
		}
		if !row {
			break
		}
		rows = append(rows, q.int(0))
	}
	return rows, q.steps(), nil
}
