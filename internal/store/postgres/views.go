package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

const blanksAndSemicolons = "; \t\r\n"

func (t *tx) createView(ctx context.Context, c *pando.Collection) error {
	sql, err := viewSQL(ctx, t.c, c)
	if err != nil {
		return t.retriedView(ctx, err)
	}
	return t.exec(ctx, sql)
}

// retriedView is retried for what describe says.
func (t *tx) retriedView(ctx context.Context, err error) error {
	if again := t.retried(ctx, err); again != err {
		return again
	}
	return err
}

func (t *tx) alterView(ctx context.Context, old, c *pando.Collection) error {
	if old.Name == c.Name && old.ViewQuery == c.ViewQuery {
		return nil
	}
	if old.ViewQuery == c.ViewQuery {
		renames := []string{"ALTER VIEW " + quote(old.Name) + " RENAME TO " + quote(c.Name)}
		return t.renameUnderViews(ctx, store.Alteration{}, old, c, renames)
	}
	return t.changeUnderViews(ctx, old, func() error {
		if err := t.exec(ctx, "DROP VIEW IF EXISTS "+quote(old.Name)); err != nil {
			return err
		}
		return t.createView(ctx, c)
	})
}

// changeUnderViews makes a change to the table or view c that views may read.
// PostgreSQL refuses most of them then, so these views step aside and come back.
// A view that worked before must work afterwards.
func (t *tx) changeUnderViews(ctx context.Context, c *pando.Collection, change func() error) error {
	views, err := t.readersOf(ctx, c.Name, nil)
	if err != nil {
		return err
	}
	for _, v := range slices.Backward(views) {
		if err := t.exec(ctx, "DROP VIEW "+quote(v.Name)); err != nil {
			return err
		}
	}
	if err := change(); err != nil {
		return err
	}
	for _, v := range views {
		if err := t.createView(ctx, v); err != nil {
			return t.brokenView(v, err)
		}
	}
	return nil
}

func (t *tx) brokenView(v *pando.Collection, err error) error {
	if t.again != nil || pando.KindOf(err) != pando.KindInvalid {
		return err
	}
	return &pando.Error{
		Kind: pando.KindInvalid, Err: err,
		Message: "The view " + v.Name + " would no longer work: " + strings.TrimSuffix(err.(*pando.Error).Message, ".") + ".",
	}
}

// readersOf lists the views of the catalog that read a table or view, those that
// others read before them. With columns, only those that read one of these
// themselves.
func (t *tx) readersOf(ctx context.Context, name string, columns []string) ([]*pando.Collection, error) {
	sql, args := readersSQL, []string{quote(name)}
	if columns != nil {
		sql, args = directReadersSQL, append(args, string(arrayText(columns)))
	}
	var views []*pando.Collection
	err := t.c.each(ctx, sql, func(v [][]byte) error {
		for _, c := range t.cat.Collections {
			if c.IsView() && c.Name == string(v[0]) {
				views = append(views, c)
			}
		}
		return nil
	}, args...)
	if err := t.retried(ctx, err); err != nil {
		return nil, unavailable(err)
	}
	return views, nil
}

// A view's query is its rule, and what the rule hangs on is what it reads.
const (
	readersSQL = `WITH RECURSIVE reader(oid, depth) AS (
		SELECT to_regclass($1)::oid, 0
		UNION
		SELECT w.ev_class, reader.depth + 1 FROM reader
		JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reader.oid AND d.classid = 'pg_rewrite'::regclass
		JOIN pg_rewrite w ON w.oid = d.objid AND w.ev_class <> reader.oid)
		SELECT c.relname FROM reader JOIN pg_class c ON c.oid = reader.oid WHERE depth > 0
		GROUP BY c.oid, c.relname ORDER BY max(depth), c.oid`
	directReadersSQL = `SELECT DISTINCT c.relname FROM pg_depend d
		JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
		JOIN pg_class c ON c.oid = w.ev_class
		LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
		WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass($1)::oid AND c.oid <> d.refobjid
		AND ($2::text[] = '{}' OR a.attname = ANY($2::text[]))`
)

// renameUnderViews renames a table or columns. The views that read them go on to
// work; their queries, which would not, are replaced by what PostgreSQL makes of
// them, in which the columns of the view keep their names.
func (t *tx) renameUnderViews(ctx context.Context, a store.Alteration, old, c *pando.Collection, renames []string) error {
	columns := []string{}
	if old.Name == c.Name {
		for _, p := range a.Rename {
			columns = append(columns, p.Old.Name)
		}
	}
	views, err := t.readersOf(ctx, old.Name, columns)
	if err != nil {
		return err
	}
	if err := t.exec(ctx, renames...); err != nil {
		return err
	}
	for _, v := range views {
		next := v.Clone()
		err := t.c.each(ctx, "SELECT pg_get_viewdef($1::regclass, true)", func(row [][]byte) error {
			next.ViewQuery = strings.Trim(string(row[0]), blanksAndSemicolons)
			return nil
		}, quote(v.Name))
		if err := t.retried(ctx, err); err != nil {
			return unavailable(err)
		}
		if err := t.storeCollection(ctx, v, next); err != nil {
			return err
		}
		t.setCatalog(t.cat.With(t.s.nextVersion(t.cat.Version), next))
	}
	return nil
}
