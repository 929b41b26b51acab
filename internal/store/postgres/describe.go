package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// viewSource is a view's query as a table. A comment at its end must not swallow
// the parenthesis.
func viewSource(query string) string {
	query = strings.TrimRight(query, blanksAndSemicolons)
	if strings.Contains(query, "--") {
		query += "\n"
	}
	return "(" + query + ") AS q"
}

// DescribeView tells the columns of a view's query.
func (r *reader) DescribeView(ctx context.Context, query string) (columns []store.ViewColumn, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = r.script(ctx, func(c *conn) error {
		columns, err = describe(ctx, c, query)
		return err
	})
	return columns, err
}

// SampleView runs a view's query.
func (r *reader) SampleView(ctx context.Context, c *pando.Collection, text string, limit int) (recs []*pando.Record, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := newPlan(c)
	if err := r.harmless(ctx, text); err != nil {
		return nil, err
	}
	err = r.script(ctx, func(conn *conn) error {
		if _, err := check(ctx, conn, text); err != nil {
			return err
		}
		recs = nil
		return words(conn.run(ctx, &query{
			sql: "SELECT " + p.columns + " FROM " + viewSource(text) + " LIMIT " + strconv.Itoa(limit), text: true, once: true,
			row: func(q *query, row [][]byte) error {
				recs = append(recs, p.decodeText(row, q.fields))
				return nil
			},
		}))
	})
	return recs, err
}

// check has PostgreSQL read a user's query, which must be one SELECT, without
// running it. The query as it stands is read as well: what only works between
// parentheses is a trick, and what only works outside them is no SELECT.
func check(ctx context.Context, c *conn, query string) (*pgconn.StatementDescription, error) {
	bare, err := c.prepare(ctx, strings.TrimRight(query, blanksAndSemicolons))
	if err != nil {
		return nil, words(err)
	}
	if len(bare.Fields) == 0 || len(bare.ParamOIDs) > 0 {
		return nil, pando.Invalid("A view needs exactly one SELECT statement.")
	}
	if _, err := c.prepare(ctx, "SELECT * FROM "+viewSource(query)); err != nil {
		return nil, words(err)
	}
	return bare, nil
}

// describe tells the columns of a query, without those of the store's own.
func describe(ctx context.Context, c *conn, query string) ([]store.ViewColumn, error) {
	d, err := check(ctx, c, query)
	if err != nil {
		return nil, err
	}
	columns := []store.ViewColumn{}
	for _, f := range d.Fields {
		if strings.HasPrefix(f.Name, reserved) {
			continue
		}
		v := store.ViewColumn{Name: f.Name}
		if v.Table, v.Column, err = origin(ctx, c, f, 0); err != nil {
			return nil, err
		}
		columns = append(columns, v)
	}
	return columns, nil
}

// viewDepth bounds how many views one may read through.
const viewDepth = 32

// origin is the table's column that a result column is; "" if it is none. The
// column of a view is looked for in what that view reads.
func origin(ctx context.Context, c *conn, f pgconn.FieldDescription, depth int) (table, column string, err error) {
	if f.TableOID == 0 || f.TableAttributeNumber == 0 || depth > viewDepth {
		return "", "", nil
	}
	var kind, text string
	err = c.each(ctx, `SELECT c.relname, a.attname, c.relkind, CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.oid = $1 AND a.attnum = $2`,
		func(v [][]byte) error {
			table, column, kind, text = string(v[0]), string(v[1]), string(v[2]), string(v[3])
			return nil
		}, fmt.Sprint(f.TableOID), fmt.Sprint(f.TableAttributeNumber))
	if err != nil || kind != "v" {
		return table, column, unavailable(err)
	}
	d, err := c.prepare(ctx, strings.TrimRight(text, blanksAndSemicolons))
	if err != nil {
		return "", "", words(err)
	}
	if at := int(f.TableAttributeNumber) - 1; at < len(d.Fields) {
		return origin(ctx, c, d.Fields[at], depth+1)
	}
	return "", "", nil
}
