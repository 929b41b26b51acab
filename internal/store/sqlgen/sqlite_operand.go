package sqlgen

import (
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// untyped, before a column, takes its type's pull on the other side away.
const untyped = "+"

func (sqlite) value(t *term) { t.bind(t.o.Value.Any()) }

func (sqlite) field(t *term, alias string) {
	if t.o.Affinity == rule.AffinityNone && !t.o.Lower {
		t.text(untyped)
	}
	t.text(alias + "." + quote(t.o.Field.Name))
}

// path writes the expression of an index where there is one, else a form that
// copes with a column that holds no JSON, and takes it for a text.
func (sqlite) path(t *term, column string, form pathForm) {
	path := t.o.Path
	switch form {
	case arrow:
		t.text("(" + column + " ->> '" + path + "')")
	case arrowKey:
		t.text("(" + column + " ->> '" + path[2:] + "')")
	case extract:
		t.text("json_extract(" + column + ", '" + path + "')")
	default:
		t.text("(CASE WHEN json_valid(" + column + ") THEN json_extract(" + column + ", ")
		t.bind(path)
		t.text(") ELSE json_extract(json_object('v', " + column + "), ")
		t.bind("$.v" + path[1:])
		t.text(") END)")
	}
}

func (sqlite) item(t *term, alias string, _ []rule.Value) { t.text(alias + ".value") }

func (sqlite) length(t *term, column string) {
	if !t.o.Field.Multiple() {
		t.text("(CASE WHEN " + column + " <> '' THEN 1 ELSE 0 END)")
		return
	}
	t.text("json_array_length(CASE WHEN " + isList(column) + " THEN " + column +
		" WHEN " + column + " = '' OR " + column + " IS NULL THEN '[]' ELSE json_array(" + column + ") END)")
}

func (sqlite) changed(t *term, differs *buffer) {
	t.text("(")
	t.add(differs)
	t.text(")")
}

// distance is the great-circle distance; the cosine is clamped because rounding
// makes it more than 1 for two equal points.
func (sqlite) distance(t *term, args [4]*term) {
	rad := func(i int) {
		t.text("radians(")
		t.add(&args[i].buffer)
		t.text(")")
	}
	t.text("(6371 * acos(min(1.0, max(-1.0, cos(")
	rad(1)
	t.text(") * cos(")
	rad(3)
	t.text(") * cos(")
	rad(2)
	t.text(" - ")
	rad(0)
	t.text(") + sin(")
	rad(1)
	t.text(") * sin(")
	rad(3)
	t.text(")))))")
}

// strftime replaces a "now" that a column holds by the time of the request, so
// that one statement knows one time.
func (sqlite) strftime(t *term, args []*term, now time.Time) {
	t.text("strftime(")
	for i, a := range args {
		if i > 0 {
			t.text(", ")
		}
		if !a.o.MayBeNow() {
			t.add(&a.buffer)
			continue
		}
		t.text("CASE WHEN LOWER(")
		t.add(&a.buffer)
		t.text(") = 'now' THEN ")
		t.bind(pando.FormatTime(now))
		t.text(" ELSE ")
		t.add(&a.buffer)
		t.text(" END")
	}
	t.text(")")
}

func (sqlite) lower(t *term) {
	inner := t.buffer
	t.buffer = buffer{}
	t.text("LOWER(")
	t.add(&inner)
	t.text(")")
}
