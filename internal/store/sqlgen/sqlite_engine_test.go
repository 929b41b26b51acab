package sqlgen_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// openSQLite puts a world into a database in memory.
func openSQLite(t testing.TB, w *ruletest.World) *engine {
	t.Helper()
	db, err := sql.Open("sqlite", "file::memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // one connection is one database in memory
	t.Cleanup(func() { db.Close() })
	e := &engine{name: "sqlite", d: sqlgen.SQLite, run: func(ctx context.Context, sql string, args ...any) ([]string, error) {
		rows, err := db.QueryContext(ctx, sql, args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		return lastColumn(rows)
	}}
	e.add = e.addToSQLite
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

func (e *engine) addToSQLite(r *pando.Record) error {
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
	_, err := e.run(context.Background(), "INSERT INTO "+indexdef.Quote(r.Collection.Name)+" VALUES (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
	return err
}

func lastColumn(rows *sql.Rows) ([]string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []string
	for rows.Next() {
		into := make([]any, len(columns))
		var last sql.NullString
		for i := range into {
			into[i] = new(any)
		}
		into[len(into)-1] = &last
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, last.String)
	}
	return out, rows.Err()
}
