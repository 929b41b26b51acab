package sqlgen

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// Postgres is the dialect of PostgreSQL 15 or later, with [PostgresFunctions]
// and tables as [PostgresColumn] makes them.
var Postgres Dialect = postgres{}

type postgres struct{}

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

func (postgres) random() string { return "random()" }

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

// byRowOnly leaves the choice to the planner, which has statistics.
func (postgres) byRowOnly() string { return "" }

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

// match compares as an index has the column.
func (d postgres) match(w *buffer, column string, f *pando.Field, m store.Match) {
	value := storable(m.Value)
	if m.NoCase {
		value = lowerASCII(value)
	}
	switch {
	case f.Multiple() && m.NoCase:
		w.text("EXISTS (SELECT 1 FROM unnest(" + column + ") AS i(value) WHERE lower(i.value) = ")
		w.bind(value)
		w.text(")")
		return
	case f.Multiple():
		w.text(column + " @> ARRAY[")
		w.bind(value)
		w.text("]")
		return
	case formOf(f) != formText:
		t := &term{form: formOf(f)}
		t.text(column)
		var text buffer
		d.asText(&text, t)
		column = string(text.sql)
	}
	if m.NoCase {
		column = "lower(" + column + ")"
	}
	w.text(column + " = ")
	w.bind(value)
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// virtualColumn gives a value the type that its column would have.
func (postgres) virtualColumn(w *buffer, f *pando.Field, v any) {
	switch v := v.(type) {
	case json.RawMessage:
		if len(v) == 0 || string(v) == "null" {
			w.text("NULL::json")
			return
		}
		w.bind(storable(string(v)))
		w.text("::json")
	case []string:
		list := make([]string, len(v))
		for i, s := range v {
			list[i] = storable(s)
		}
		w.bind(list)
		w.text(collateC)
	case pando.GeoPoint:
		w.bind(rule.PointText(v))
		w.text("::json")
	case float64, bool:
		w.bind(v)
	case string:
		w.text("(")
		if formOf(f) == formDate {
			w.text("_pando.to_date(")
			w.bind(storable(v))
			w.text(")")
		} else {
			w.bind(storable(v))
			w.text(collateC)
		}
		w.text(")")
	default:
		w.text("NULL")
	}
}

func (postgres) columnItems(w *buffer, column, alias string) {
	w.text("unnest(" + column + ") WITH ORDINALITY AS " + alias + "(value, place)")
}

func (postgres) valueItems(w *buffer, values []rule.Value, alias string) {
	if !allTexts(values) {
		w.text("json_array_elements(")
		w.bind(storable(jsonList(values)))
		w.text("::json) WITH ORDINALITY AS " + alias + "(value, place)")
		return
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = storable(v.String())
	}
	w.text("unnest(")
	w.bind(list)
	w.text(collateC + ") WITH ORDINALITY AS " + alias + "(value, place)")
}

// narrow finds, where one item of a list of t is asked for, that the list has it.
func (postgres) narrow(w *buffer, n *rule.Exists, column func(*rule.Join, *pando.Field) string) bool {
	c, ok := n.Cond.(*rule.Compare)
	if !ok || c.Op != rule.Equal || len(n.Joins) != 1 {
		return false
	}
	j := n.Joins[0]
	if j.Kind != rule.JoinEach && j.Kind != rule.JoinRelation || j.Parent != nil || !j.Field.Multiple() {
		return false
	}
	o, v := c.Left, c.Right
	if o.Kind == rule.OperandValue {
		o, v = v, o
	}
	item := o.Kind == rule.OperandItem || o.Kind == rule.OperandField && o.Field.Name == "id"
	if o.Join != j || !item || o.Lower || v.Kind != rule.OperandValue || !v.Value.IsText() || v.Value.IsEmpty() || v.Affinity == rule.AffinityNumeric {
		return false
	}
	w.text(column(nil, j.Field) + " @> ARRAY[")
	w.bind(storable(v.Value.String()))
	w.text("]")
	return true
}

// first says what comes by itself in SQLite: items as they stand, rows as they
// came.
func (d postgres) first(joins []*rule.Join, sc *scope) string {
	word, out := " ORDER BY ", ""
	for _, j := range joins {
		key := sc.alias[j] + ".place"
		switch items := sc.items[j]; {
		case items != "":
			key = items + ".place"
		case j.Items():
		case j.Collection.IsView():
			continue
		default:
			key = d.rowID(sc.alias[j])
		}
		out += word + key
		word = ", "
	}
	return out
}
