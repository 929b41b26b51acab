package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

const blanksAndSemicolons = "; \t\r\n"

// viewSource is a view's query as a table. A comment at its end must not
// swallow the parenthesis.
func viewSource(query string) string {
	query = strings.TrimRight(query, blanksAndSemicolons)
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
	return words(t.c.execOnce(viewHead(c) + viewSource(c.ViewQuery)))
}

func viewHead(c *pando.Collection) string {
	return "CREATE VIEW " + quote(c.Name) + " AS SELECT * FROM "
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
	working, broken := t.views()
	views := append(working, broken...)
	if err := t.dropViews(views); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	for _, v := range views {
		if v.ID == old.ID {
			v = next
		}
		if v == nil {
			continue // old was a view and is gone
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
			return brokenView(v, err)
		}
	}
	return nil
}

func brokenView(v *pando.Collection, err error) error {
	if pando.KindOf(err) != pando.KindInvalid {
		return err
	}
	return &pando.Error{
		Kind: pando.KindInvalid, Err: err,
		Message: "The view " + v.Name + " would no longer work: " + sqlWords(err) + ".",
	}
}

// views lists the views of the catalog, those that work first.
func (t *tx) views() (working, broken []*pando.Collection) {
	for _, v := range t.cat.Collections {
		switch {
		case !v.IsView():
		case t.checkView(v) == nil:
			working = append(working, v)
		default:
			broken = append(broken, v)
		}
	}
	return working, broken
}

func (t *tx) dropViews(views []*pando.Collection) error {
	for _, v := range views {
		if err := t.c.execOnce("DROP VIEW IF EXISTS " + quote(v.Name)); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// renameUnderViews renames a table or columns. SQLite puts the new names into
// the views that read them, and so into their definitions here. A view whose own
// column would change its name with that keeps the name.
func (t *tx) renameUnderViews(renames []string) error {
	working, broken := t.views()
	if err := t.dropViews(broken); err != nil {
		return err
	}
	columns := make([][]string, len(working))
	for i, v := range working {
		var err error
		if columns[i], err = t.viewColumns(v); err != nil {
			return err
		}
	}
	if err := t.execAll(renames); err != nil {
		return err
	}
	for i, v := range working {
		if err := t.followRename(v, columns[i]); err != nil {
			return err
		}
	}
	for _, v := range broken {
		if err := t.createViewSQL(v); err != nil {
			return err
		}
	}
	return nil
}

// followRename brings a view's definition up to date with what SQLite made of it.
func (t *tx) followRename(v *pando.Collection, before []string) error {
	query, err := t.viewText(v)
	if err != nil {
		return err
	}
	after, err := t.viewColumns(v)
	if err != nil {
		return brokenView(v, err)
	}
	if len(after) != len(before) {
		return fmt.Errorf("sqlite: the view %s has other columns after a rename", v.Name)
	}
	next := v.Clone()
	next.ViewQuery = query
	if !slices.Equal(before, after) {
		list := make([]string, len(after))
		for i := range after {
			list[i] = quote(after[i]) + " AS " + quote(before[i])
		}
		next.ViewQuery = "SELECT " + strings.Join(list, ", ") + " FROM " + viewSource(query)
		if err := t.dropViews([]*pando.Collection{v}); err != nil {
			return err
		}
		if err := t.createViewSQL(next); err != nil {
			return err
		}
	}
	if next.ViewQuery == strings.TrimRight(v.ViewQuery, blanksAndSemicolons) {
		return nil
	}
	if err := t.storeCollection(v, next); err != nil {
		return unavailable(err)
	}
	t.setCatalog(t.cat.With(t.w.nextVersion(), next))
	return nil
}

// viewText is the query of a view as the database has it.
func (t *tx) viewText(v *pando.Collection) (string, error) {
	var sql string
	err := t.c.each("SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?", func(q *stmt) error {
		sql = q.text(0)
		return nil
	}, v.Name)
	if err != nil {
		return "", unavailable(err)
	}
	query, ok := strings.CutPrefix(sql, viewHead(v)+"(")
	query, ok2 := strings.CutSuffix(query, ")")
	if !ok || !ok2 {
		return v.ViewQuery, nil // another program made it; it stays as it is
	}
	return strings.TrimRight(query, blanksAndSemicolons), nil
}

func (t *tx) viewColumns(v *pando.Collection) ([]string, error) {
	s, _, err := t.c.compile("SELECT * FROM "+quote(v.Name), 0)
	if err != nil {
		return nil, words(err)
	}
	defer s.finalize()
	names := make([]string, s.columns())
	for i := range names {
		names[i], _, _ = s.column(i)
	}
	return names, nil
}

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
	bare, rest, err := r.c.compile(strings.TrimRight(query, blanksAndSemicolons), 0)
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
