package sqlgen_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

var (
	schemas       atomic.Int64
	functionsOnce sync.Once
)

// openPostgres puts a world into a schema of its own.
func openPostgres(t testing.TB, w *ruletest.World) *engine {
	t.Helper()
	schema := fmt.Sprint("world", schemas.Add(1))
	conn, err := pgx.Connect(context.Background(), dsn(t)+" search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	e := &engine{name: "postgres", d: sqlgen.Postgres, run: func(ctx context.Context, sql string, args ...any) ([]string, error) {
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
			values, err := row.Values()
			if err != nil {
				return "", err
			}
			return fmt.Sprint(values[len(values)-1]), nil
		})
	}}
	e.add = e.addToPostgres
	functionsOnce.Do(func() {
		for _, text := range sqlgen.PostgresFunctions() {
			e.exec(t, text)
		}
	})
	e.exec(t, "CREATE SCHEMA "+schema)
	for _, c := range w.Collections {
		if c.IsView() {
			continue
		}
		columns := []string{`"_pando_row" bigint GENERATED ALWAYS AS IDENTITY UNIQUE`}
		for _, f := range c.Fields {
			columns = append(columns, quoted(f.Name)+" "+sqlgen.PostgresColumn(f))
		}
		e.exec(t, "CREATE TABLE "+quoted(c.Name)+" ("+strings.Join(columns, ", ")+")")
		for _, text := range c.Indexes {
			d, err := indexdef.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			create, err := sqlgen.PostgresIndex(c, d)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			e.exec(t, create)
		}
	}
	for _, c := range w.Collections {
		if c.IsView() {
			e.exec(t, "CREATE VIEW "+quoted(c.Name)+" AS SELECT * FROM ("+c.ViewQuery+") AS v")
		}
	}
	for _, r := range w.Records {
		if !r.Collection.IsView() {
			e.insert(t, r)
		}
	}
	return e
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (e *engine) addToPostgres(r *pando.Record) error {
	var names, places []string
	var args []any
	for i, v := range r.Values {
		f := r.Collection.Fields[i]
		cast := ""
		switch x := v.(type) {
		case json.RawMessage:
			if cast, v = "::text::json", string(x); v == "null" {
				v = nil
			}
		case []string:
			if x == nil {
				v = []string{}
			}
		case pando.GeoPoint:
			cast, v = "::text::json", rule.PointText(x)
		case string:
			if f.Type == pando.FieldDate || f.Type == pando.FieldAutodate {
				names = append(names, quoted(f.Name))
				places = append(places, fmt.Sprintf("_pando.to_date($%d::text)", i+1))
				args = append(args, v)
				continue
			}
		}
		names = append(names, quoted(f.Name))
		places = append(places, fmt.Sprint("$", i+1, cast))
		args = append(args, v)
	}
	_, err := e.run(context.Background(), "INSERT INTO "+quoted(r.Collection.Name)+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(places, ", ")+")", args...)
	return err
}
