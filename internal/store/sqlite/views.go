package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// viewSource is a view's query as a table. A comment at its end must not
// swallow the parenthesis.
func viewSource(query string) string {
	query = strings.TrimRight(query, "; \t\r\n")
	if strings.Contains(query, "--") {
		query += "\n"
	}
	return "(" + query + ")"
}

func (t *tx) createView(c *pando.Collection) error {
	if _, err := t.describe(c.ViewQuery); err != nil {
		return err
	}
	if err := t.createViewSQL(c); err != nil {
		return err
	}
	return t.checkView(c)
}

func (t *tx) createViewSQL(c *pando.Collection) error {
	return words(t.c.execOnce("CREATE VIEW " + quote(c.Name) + " AS SELECT * FROM " + viewSource(c.ViewQuery)))
}

func (t *tx) alterView(old, c *pando.Collection) error {
	if old.Name == c.Name && old.ViewQuery == c.ViewQuery {
		return nil
	}
	if _, err := t.describe(c.ViewQuery); err != nil {
		return err
	}
	return t.changeUnderViews(old, c, func() error { return nil })
}

// changeUnderViews makes a change to the table or view old that views may read.
// SQLite refuses to alter a table while some view does not work, so all views
// step aside and come back, with next in place of old if that is a view. A view
// that worked before must work afterwards.
func (t *tx) changeUnderViews(old, next *pando.Collection, change func() error) error {
	var views, working []*pando.Collection
	for _, v := range t.cat.Collections {
		if !v.IsView() || v.ID == old.ID && next == nil {
			continue
		}
		views = append(views, v)
		if t.checkView(v) == nil {
			working = append(working, v)
		}
	}
	for _, v := range views {
		if err := t.c.execOnce("DROP VIEW IF EXISTS " + quote(v.Name)); err != nil {
			return unavailable(err)
		}
	}
	if err := change(); err != nil {
		return err
	}
	for _, v := range views {
		if next != nil && v.ID == next.ID {
			v = next
		}
		if err := t.createViewSQL(v); err != nil {
			return err
		}
	}
	if next != nil {
		if err := t.checkView(next); err != nil {
			return err
		}
	}
	for _, v := range working {
		if v.ID == old.ID {
			continue
		}
		if err := t.checkView(v); err != nil {
			return &pando.Error{
				Kind: pando.KindInvalid, Err: err,
				Message: fmt.Sprintf("The view %s would no longer work: %s.", v.Name, pandoMessage(err)),
			}
		}
	}
	return nil
}

func pandoMessage(err error) string { return strings.TrimSuffix(err.Error(), ".") }

// checkView tells whether a view can be read.
func (r *reader) checkView(c *pando.Collection) error {
	s, _, err := r.c.compile("SELECT * FROM "+quote(c.Name), 0)
	s.finalize()
	return words(err)
}

// DescribeView tells the columns of a view's query.
func (r *reader) DescribeView(ctx context.Context, query string) ([]store.ViewColumn, error) {
	if err := r.use(ctx); err != nil {
		return nil, err
	}
	return r.describe(query)
}

func (r *reader) describe(query string) ([]store.ViewColumn, error) {
	q, err := r.compileView("*", query, 0)
	if err != nil {
		return nil, err
	}
	defer q.finalize()
	if _, err := q.step(); err != nil {
		return nil, words(err)
	}
	columns := make([]store.ViewColumn, q.columns())
	for i := range columns {
		name, table, origin := q.column(i)
		columns[i] = store.ViewColumn{Name: name, Table: table, Column: origin}
	}
	return columns, nil
}

// SampleView runs a view's query.
func (r *reader) SampleView(ctx context.Context, c *pando.Collection, query string, limit int) ([]*pando.Record, error) {
	if err := r.use(ctx); err != nil {
		return nil, err
	}
	p := newPlan(c)
	q, err := r.compileView(p.columns, query, limit)
	if err != nil {
		return nil, err
	}
	defer q.finalize()
	var recs []*pando.Record
	for {
		row, err := q.step()
		if err != nil {
			return nil, words(err)
		}
		if !row {
			return recs, nil
		}
		recs = append(recs, p.decode(q))
	}
}

// compileView prepares a SELECT of columns from a user's query, which must be
// one SELECT itself. The query as it stands is prepared as well: what only
// works between parentheses is a trick.
func (r *reader) compileView(columns, query string, limit int) (*stmt, error) {
	if err := r.c.onlySelect(true); err != nil {
		return nil, err
	}
	defer r.c.onlySelect(false)
	bare, rest, err := r.c.compile(strings.TrimRight(query, "; \t\r\n"), 0)
	if err != nil {
		return nil, words(err)
	}
	defer bare.finalize()
	if bare == nil || rest != "" || bare.columns() == 0 || !bare.readOnly() {
		return nil, pando.Invalid("A view needs exactly one SELECT statement.")
	}
	q, _, err := r.c.compile(fmt.Sprintf("SELECT %s FROM %s LIMIT %d", columns, viewSource(query), limit), 0)
	return q, words(err)
}
