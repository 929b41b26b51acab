package sqlgen_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// engine runs generated SQL on a database in memory.
type engine struct{ db *sql.DB }

func open(t testing.TB, w *ruletest.World) *engine {
	t.Helper()
	db, err := sql.Open("sqlite", "file::memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // one connection is one database in memory
	t.Cleanup(func() { db.Close() })
	e := &engine{db}
	for _, c := range w.Collections {
		if !c.IsView() {
			e.exec(t, createTable(c))
		}
		for _, text := range c.Indexes {
			d, err := indexdef.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			d.Table = c.Name
			e.exec(t, d.String())
		}
	}
	for _, c := range w.Collections {
		if c.IsView() {
			e.exec(t, "CREATE VIEW "+indexdef.Quote(c.Name)+" AS SELECT * FROM ("+c.ViewQuery+")")
		}
	}
	for _, r := range w.Records {
		if !r.Collection.IsView() { // those say what the evaluator is to expect
			e.insert(t, r)
		}
	}
	return e
}

func (e *engine) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := e.db.Exec(sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// createTable makes the same columns as internal/store/sqlite does.
func createTable(c *pando.Collection) string {
	var columns []string
	for _, f := range c.Fields {
		kind := "TEXT DEFAULT '' NOT NULL"
		switch {
		case f.Name == "id":
			kind = "TEXT PRIMARY KEY NOT NULL"
		case f.Type == pando.FieldNumber:
			kind = "NUMERIC DEFAULT 0 NOT NULL"
		case f.Type == pando.FieldBool:
			kind = "BOOLEAN DEFAULT FALSE NOT NULL"
		case f.Type == pando.FieldJSON:
			kind = "JSON DEFAULT NULL"
		case f.Type == pando.FieldGeoPoint || f.Multiple():
			kind = "JSON NOT NULL"
		}
		columns = append(columns, indexdef.Quote(f.Name)+" "+kind)
	}
	return "CREATE TABLE " + indexdef.Quote(c.Name) + " (" + strings.Join(columns, ", ") + ")"
}

func (e *engine) insert(t testing.TB, r *pando.Record) {
	t.Helper()
	var args []any
	for _, v := range r.Values {
		switch x := v.(type) {
		case json.RawMessage:
			if v = string(x); v == "null" {
				v = nil
			}
		case []string:
			v = rule.ListText(x)
		case pando.GeoPoint:
			v = rule.PointText(x)
		}
		args = append(args, v)
	}
	e.exec(t, "INSERT INTO "+indexdef.Quote(r.Collection.Name)+" VALUES (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
}

func (*engine) Sorts() bool { return true }

func (e *engine) Find(ctx context.Context, q ruletest.Question) ([]string, error) {
	query := store.Query{Collection: q.Collection, Sort: q.Sort, Virtual: q.Virtual, IDsOnly: true}
	if q.Rule != nil {
		query.Where = []store.Condition{{Rule: q.Rule, Request: q.Request, Now: q.Now}}
	}
	ids, err := e.query(ctx, query, q.Now)
	if err != nil {
		return nil, err
	}
	st, err := sqlgen.Count(sqlgen.SQLite, query, q.Now)
	if err != nil {
		return nil, err
	}
	var n int
	if err := e.db.QueryRowContext(ctx, st.SQL, st.Args...).Scan(&n); err != nil {
		return nil, fmt.Errorf("%s: %w", st.SQL, err)
	}
	if n != len(ids) {
		return nil, fmt.Errorf("counted %d, found %d: %s", n, len(ids), st.SQL)
	}
	return ids, nil
}

func (e *engine) query(ctx context.Context, q store.Query, now time.Time) ([]string, error) {
	st, err := sqlgen.Select(sqlgen.SQLite, q, now)
	if err != nil {
		return nil, err
	}
	rows, err := e.db.QueryContext(ctx, st.SQL, st.Args...)
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", st.SQL, st.Args, err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if st.Never && len(ids) > 0 {
		return nil, fmt.Errorf("never, and yet %v: %s", ids, st.SQL)
	}
	return ids, rows.Err()
}

func TestFiles(t *testing.T) {
	ruletest.Run(t, func(t *testing.T, w *ruletest.World) ruletest.Engine { return open(t, w) })
}
