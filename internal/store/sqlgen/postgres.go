package sqlgen

import (
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// Postgres is the dialect of PostgreSQL 15 or later, with [PostgresFunctions]
// and tables as [PostgresColumn] makes them.
var Postgres Dialect = postgres{}

type postgres struct{ sqlite }

// placeholders numbers them, each with the type that its value is sent as:
// PostgreSQL would infer another from what stands beside it.
func (postgres) placeholders(sql []byte, args []any) []byte {
	out := make([]byte, 0, len(sql)+10*len(args))
	n := 0
	for _, b := range sql {
		if b != placeholder {
			out = append(out, b)
			continue
		}
		out = strconv.AppendInt(append(out, '$'), int64(n+1), 10)
		out = append(out, castOf(args[n])...)
		n++
	}
	return out
}

func castOf(v any) string {
	switch v.(type) {
	case int64:
		return "::int8"
	case float64:
		return "::float8"
	case bool:
		return "::bool"
	case []string:
		return "::text[]"
	}
	return "::text"
}

func (postgres) rowID(alias string) string { return alias + "." + postgresRow }

// postgresRow is the column that numbers the rows of a table in the order in
// which they came.
const postgresRow = `"_pando_row"`

// limit stands in the text: a plan that does not know how few rows are wanted
// sorts them all. An offset is seldom twice the same.
func (postgres) limit(w *buffer, limit, offset int) {
	if limit > 0 {
		w.text(" LIMIT " + strconv.Itoa(limit))
	}
	if offset > 0 {
		w.text(" OFFSET ")
		w.bind(int64(offset))
	}
}

func (d postgres) among(w *buffer, alias string, rows []int64) {
	list := make([]string, len(rows))
	for i, n := range rows {
		list[i] = strconv.FormatInt(n, 10)
	}
	w.text(d.rowID(alias) + " = ANY(")
	w.bind("{" + strings.Join(list, ",") + "}")
	w.text("::int8[])")
}

func (d postgres) after(w *buffer, table, id string) {
	w.text(d.rowID("t") + " > (SELECT a." + postgresRow + " FROM " + table + ` AS a WHERE a."id" = `)
	w.bind(storable(id))
	w.text(")")
}

func (postgres) one() string { return "(SELECT 1) AS one" }

func (postgres) itemIs(w *buffer, id, alias string) { w.text(id + " = " + alias + ".value") }

func (postgres) listHas(w *buffer, column, id string) { w.text(column + " @> ARRAY[" + id + "]") }

func (postgres) idIn(w *buffer, id string, values []rule.Value) {
	list := make([]string, 0, len(values))
	for _, v := range values {
		if v.IsText() && PostgresHolds(v.String()) {
			list = append(list, v.String())
		}
	}
	w.text(id + " = ANY(")
	w.bind(list)
	w.text(")")
}

func (postgres) match(w *buffer, column string, f *pando.Field, m store.Match) {
	w.text(column + " = ")
	w.bind(m.Value)
}
