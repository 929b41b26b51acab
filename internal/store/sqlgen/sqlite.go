package sqlgen

import (
	"encoding/json"
	"strconv"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// SQLite is the dialect of SQLite 3.45 or later, with its math functions.
var SQLite Dialect = sqlite{}

type sqlite struct{}

func (sqlite) quote(name string) string { return quote(name) }

// quote is a name as an identifier of SQL.
func quote(name string) string {
	b := make([]byte, 0, len(name)+2)
	b = append(b, '"')
	for i := range len(name) {
		if name[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, name[i])
	}
	return string(append(b, '"'))
}

// placeholders writes ? in place.
func (sqlite) placeholders(sql []byte, _ []any) []byte {
	for i, b := range sql {
		if b == placeholder {
			sql[i] = '?'
		}
	}
	return sql
}

func (sqlite) random() string { return "RANDOM()" }

// rowID uses the one name of the row id that no field can have.
func (sqlite) rowID(alias string) string { return alias + "._rowid_" }

func (sqlite) limit(w *buffer, limit, offset int) {
	if limit <= 0 {
		limit = -1
	}
	w.text(" LIMIT ")
	w.bind(int64(limit))
	if offset > 0 {
		w.text(" OFFSET ")
		w.bind(int64(offset))
	}
}

func (d sqlite) among(w *buffer, alias string, rows []int64) {
	// One parameter, however many rows: the statement is prepared once.
	list := append(make([]byte, 0, 8*len(rows)+2), '[')
	for i, n := range rows {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, n, 10)
	}
	w.text(d.rowID(alias) + " IN (SELECT value FROM json_each(")
	w.bind(string(append(list, ']')))
	w.text("))")
}

// byRowOnly forbids every index but the table itself. The planner would take one
// that a condition fits, for each row anew, before it goes to the row all the
// same to judge the rest and to sort; or walk the whole index of the order.
func (sqlite) byRowOnly() string { return " NOT INDEXED" }

func (sqlite) match(w *buffer, column string, f *pando.Field, m store.Match) {
	if f.Multiple() {
		w.text("EXISTS (SELECT 1 FROM json_each(" + column + ") AS i WHERE i.value = ")
	} else {
		w.text(column + " = ")
	}
	w.bind(m.Value)
	if m.NoCase {
		w.text(" COLLATE NOCASE")
	}
	if f.Multiple() {
		w.text(")")
	}
}

func (sqlite) after(w *buffer, table, id string) {
	w.text("t._rowid_ > (SELECT _rowid_ FROM " + table + ` WHERE "id" = `)
	w.bind(id)
	w.text(")")
}

// virtualColumn gives a value the type that its column would have. A JSON column
// has none that matters, and a cast would take its text for a number.
func (sqlite) virtualColumn(w *buffer, f *pando.Field, v any) {
	switch v := v.(type) {
	case json.RawMessage:
		if len(v) == 0 || string(v) == "null" {
			w.text("NULL")
			return
		}
		w.bind(string(v))
	case []string:
		w.bind(rule.ListText(v))
	case pando.GeoPoint:
		w.bind(rule.PointText(v))
	case float64:
		w.text("CAST(") // which leaves 2.0 as it is; a column would make 2 of it
		w.bind(rule.Number(v).Any())
		w.text(" AS NUMERIC)")
	case bool:
		w.text("CAST(")
		w.bind(rule.Bool(v).Any())
		w.text(" AS NUMERIC)")
	default:
		w.text("CAST(")
		w.bind(v)
		w.text(" AS TEXT)")
	}
}

func (sqlite) one() string { return "(SELECT 1)" }

// columnItems copes with a column that holds no list, as after a restore or a
// write by another program.
func (sqlite) columnItems(w *buffer, column, alias string) {
	w.text(listOf(column) + " AS " + alias)
}

func listOf(column string) string {
	return "json_each(CASE WHEN " + isList(column) + " THEN " + column + " ELSE json_array(" + column + ") END)"
}

func isList(column string) string {
	return "iif(json_valid(" + column + "), json_type(" + column + ") = 'array', 0)"
}

func (sqlite) valueItems(w *buffer, values []rule.Value, alias string) {
	w.text("json_each(")
	w.bind(jsonList(values))
	w.text(") AS " + alias)
}

// jsonList is a list as JSON text.
func jsonList(values []rule.Value) string {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v.Any()
	}
	text, err := json.Marshal(list)
	if err != nil { // infinities have no JSON
		return "[]"
	}
	return string(text)
}

func (sqlite) itemIs(w *buffer, id, alias string) { w.text(id + " = " + alias + ".value") }

func (sqlite) listHas(w *buffer, column, id string) {
	w.text(id + " IN (SELECT value FROM " + listOf(column) + ")")
}

func (sqlite) idIn(w *buffer, id string, values []rule.Value) {
	w.text(id + " IN (")
	for i, v := range values {
		if i > 0 {
			w.text(", ")
		}
		w.bind(v.Any())
	}
	w.text(")")
}

// narrow has nothing: no index of SQLite looks into lists.
func (sqlite) narrow(*buffer, *rule.Exists, func(*rule.Join, *pando.Field) string) bool { return false }

// first has nothing: rows come as they lie.
func (sqlite) first([]*rule.Join, *scope) string { return "" }
