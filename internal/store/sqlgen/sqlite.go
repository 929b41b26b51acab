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

func (sqlite) same() string    { return " IS " }
func (sqlite) differs() string { return " IS NOT " }
func (sqlite) like() string    { return " LIKE " }
func (sqlite) untyped() string { return "+" }
func (sqlite) random() string  { return "RANDOM()" }

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

func (sqlite) cast(w *buffer, v rule.Value, to rule.Affinity) {
	w.text("CAST(")
	w.bind(v.Any())
	if to == rule.AffinityText {
		w.text(" AS TEXT)")
	} else {
		w.text(" AS NUMERIC)")
	}
}

// columnItems copes with a column that holds no list, as after a restore or a
// write by another program.
func (sqlite) columnItems(w *buffer, column string) {
	w.text("json_each(CASE WHEN " + isList(column) + " THEN " + column + " ELSE json_array(" + column + ") END)")
}

func isList(column string) string {
	return "iif(json_valid(" + column + "), json_type(" + column + ") = 'array', 0)"
}

func (sqlite) valueItems(w *buffer, values []rule.Value) {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v.Any()
	}
	text, err := json.Marshal(list)
	if err != nil { // infinities have no JSON
		text = []byte("[]")
	}
	w.text("json_each(")
	w.bind(string(text))
	w.text(")")
}

func (sqlite) item(w *buffer, alias string) { w.text(alias + ".value") }

func (sqlite) itemIs(w *buffer, id, alias string) { w.text(id + " = " + alias + ".value") }

func (s sqlite) listHas(w *buffer, column, id string) {
	w.text(id + " IN (SELECT value FROM ")
	s.columnItems(w, column)
	w.text(")")
}

func (sqlite) length(w *buffer, column string, f *pando.Field) {
	if !f.Multiple() {
		w.text("(CASE WHEN " + column + " <> '' THEN 1 ELSE 0 END)")
		return
	}
	w.text("json_array_length(CASE WHEN " + isList(column) + " THEN " + column +
		" WHEN " + column + " = '' OR " + column + " IS NULL THEN '[]' ELSE json_array(" + column + ") END)")
}

// path takes a column that is no JSON for a text.
func (sqlite) path(w *buffer, column, path string) {
	w.text("(CASE WHEN json_valid(" + column + ") THEN json_extract(" + column + ", ")
	w.bind(path)
	w.text(") ELSE json_extract(json_object('v', " + column + "), ")
	w.bind("$.v" + path[1:])
	w.text(") END)")
}

func (sqlite) indexedPath(w *buffer, column, path string, form pathForm) {
	switch form {
	case arrow:
		w.text("(" + column + " ->> '" + path + "')")
	case arrowKey:
		w.text("(" + column + " ->> '" + path[2:] + "')")
	default:
		w.text("json_extract(" + column + ", '" + path + "')")
	}
}

// distance is the great-circle distance; the cosine is clamped because rounding
// makes it more than 1 for two equal points.
func (sqlite) distance(w *buffer, args [4]*buffer) {
	rad := func(i int) {
		w.text("radians(")
		w.add(args[i])
		w.text(")")
	}
	w.text("(6371 * acos(min(1.0, max(-1.0, cos(")
	rad(1)
	w.text(") * cos(")
	rad(3)
	w.text(") * cos(")
	rad(2)
	w.text(" - ")
	rad(0)
	w.text(") + sin(")
	rad(1)
	w.text(") * sin(")
	rad(3)
	w.text(")))))")
}
