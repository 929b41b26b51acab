package sqlgen

import (
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// form is what the SQL of a term is.
type form uint8

const (
	formText   form = iota // a text with collation "C"
	formNumber             // a number of a column: shown without a point if it is whole
	formReal               // a number that is shown with a point
	formWhole              // a whole number
	formBool               // a boolean, which is 1 or 0
	formDate               // a time; null is the empty text
	formList               // a text[], which is shown as JSON
	formPoint              // a geo point as JSON
	formJSON               // the arguments of the functions of schema _pando that look into JSON
)

// formOf is what a field's column is.
func formOf(f *pando.Field) form {
	if f.Multiple() {
		return formList
	}
	switch f.Type {
	case pando.FieldNumber:
		return formNumber
	case pando.FieldBool:
		return formBool
	case pando.FieldDate, pando.FieldAutodate:
		return formDate
	case pando.FieldGeoPoint:
		return formPoint
	case pando.FieldJSON:
		return formJSON
	}
	return formText
}

// number tells whether all values of the form are numbers.
func (f form) number() bool {
	return f == formNumber || f == formReal || f == formWhole || f == formBool
}

// value writes nothing: how a constant is bound hangs on what it meets.
func (postgres) value(*term) {}

func (d postgres) field(t *term, alias string) {
	t.form = formOf(t.o.Field)
	column := alias + "." + d.quote(t.o.Field.Name)
	if t.view {
		column = fitted(column, t.form)
	}
	t.text(column)
	if t.form == formDate {
		if t.o.Join != nil {
			t.row = alias + "." + d.quote("id")
		}
		t.nullable = t.row != "" // a null of the row itself is the empty text
	}
}

// fitted is a column of a view as the type that its field would have.
func fitted(column string, f form) string {
	switch f {
	case formText:
		return "(" + column + "::text" + collateC + ")"
	case formNumber:
		return "(" + column + "::float8)"
	case formDate:
		return "(" + column + "::timestamptz)"
	case formJSON, formPoint:
		return "to_json(" + column + ")"
	}
	return column
}

// path binds a path that no index has. The coordinates of a point are numbers,
// whatever else may be in JSON.
func (postgres) path(t *term, column string, indexed pathForm) {
	if t.view {
		column = fitted(column, formJSON)
	}
	if t.o.Field.Type == pando.FieldGeoPoint && (t.o.Path == "$.lon" || t.o.Path == "$.lat") {
		t.form = formNumber
		t.text("((" + column + " ->> '" + t.o.Path[2:] + "')::float8)")
		return
	}
	t.form = formJSON
	t.text(column + ", ")
	steps := pathSteps(t.o.Path)
	if indexed == noIndex {
		t.bind(steps)
		return
	}
	t.text(pathLiteral(steps))
}

// pathSteps takes a path apart: "$.a[0].b" is a, 0, b.
func pathSteps(path string) []string {
	return strings.FieldsFunc(path[1:], func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// pathLiteral is a path as it stands in an index: letters, digits and _ only.
func pathLiteral(steps []string) string {
	return "'{" + strings.Join(steps, ",") + "}'::text[]"
}

func (postgres) item(t *term, alias string, values []rule.Value) {
	if !allTexts(values) {
		t.form = formJSON
		t.text(alias + ".value, '{}'::text[]")
		return
	}
	t.text(alias + ".value")
}

// allTexts tells whether PostgreSQL can take the list as a list of texts.
func allTexts(values []rule.Value) bool {
	for _, v := range values {
		if !v.IsText() {
			return false
		}
	}
	return true
}

func (postgres) length(t *term, column string) {
	t.form = formWhole
	if t.o.Field.Multiple() {
		t.text("COALESCE(cardinality(" + column + "), 0)")
		return
	}
	t.text("(CASE WHEN " + column + " <> '' THEN 1 ELSE 0 END)")
}

func (postgres) changed(t *term, differs *buffer) {
	t.form = formBool
	t.text("(")
	t.add(differs)
	t.text(")")
}

func (d postgres) distance(t *term, args [4]*term) {
	t.form = formReal
	t.text("_pando.distance(")
	for i, a := range args {
		if i > 0 {
			t.text(", ")
		}
		d.asNumber(&t.buffer, a)
	}
	t.text(")")
}

// asNumber writes the number that t is or looks like; null for any other text.
func (d postgres) asNumber(w *buffer, t *term) {
	switch {
	case t.constant:
		v := t.o.Value.Numeric()
		f, ok := v.Any().(float64)
		if n, whole := v.Any().(int64); whole {
			f, ok = float64(n), true
		}
		if ok {
			w.bind(f)
		} else {
			w.text("NULL::float8")
		}
	case t.form == formBool:
		w.text("(")
		w.add(&t.buffer)
		w.text(")::int")
	case t.form.number():
		w.add(&t.buffer)
	default:
		w.text("_pando.to_number(")
		d.asText(w, t)
		w.text(")")
	}
}

// asText writes t as the text that SQLite shows.
func (postgres) asText(w *buffer, t *term) {
	function := ""
	switch {
	case t.constant:
		w.bind(storable(t.o.Value.String()))
		w.text(collateC)
		return
	case t.form == formText:
		w.add(&t.buffer)
		return
	case t.form == formDate && t.row != "":
		w.text("(CASE WHEN " + t.row + " IS NOT NULL THEN _pando.date_text(")
		w.add(&t.buffer)
		w.text(") END" + collateC + ")")
		return
	case t.form == formWhole || t.form == formPoint:
		w.text("((")
		w.add(&t.buffer)
		w.text(")::text" + collateC + ")")
		return
	case t.form == formBool:
		w.text("((")
		w.add(&t.buffer)
		w.text(")::int::text" + collateC + ")")
		return
	case t.form == formDate:
		function = "date_text"
	case t.form == formNumber:
		function = "number_text"
	case t.form == formReal:
		function = "real_text"
	case t.form == formList:
		function = "list_text"
	case t.form == formJSON:
		function = "json_text"
	}
	w.text("(_pando." + function + "(")
	w.add(&t.buffer)
	w.text(")" + collateC + ")")
}

const collateC = ` COLLATE "C"`

// asKey writes t as a text that sorts as the values of the language do; loose
// makes numbers of texts that look like them.
func (d postgres) asKey(w *buffer, t *term, loose bool) {
	switch {
	case t.constant:
		v := t.o.Value
		if loose {
			v = v.Numeric()
		}
		w.bind(storable(valueKey(v)))
	case t.form == formJSON && loose:
		w.text("(_pando.loosen(_pando.json_key(")
		w.add(&t.buffer)
		w.text("))" + collateC + ")")
	case t.form == formJSON:
		w.text("(_pando.json_key(")
		w.add(&t.buffer)
		w.text(")" + collateC + ")")
	case t.form.number():
		w.text("(_pando.number_key(")
		d.asNumber(w, t)
		w.text(")" + collateC + ")")
	case t.form == formText && loose:
		w.text("(_pando.loose_key(")
		w.add(&t.buffer)
		w.text(")" + collateC + ")")
	default:
		w.text("('2' || ")
		d.asText(w, t)
		w.text(")")
	}
}

// asTime writes a date as a time, no date as the earliest: so an index has it,
// and what comes before all dates comes before them here.
func (postgres) asTime(w *buffer, t *term) {
	if t.row != "" {
		w.text("(CASE WHEN " + t.row + " IS NOT NULL THEN ")
	}
	w.text("COALESCE(")
	w.add(&t.buffer)
	w.text(", '-infinity')")
	if t.row != "" {
		w.text(" END)")
	}
}

func (d postgres) strftime(t *term, args []*term, now time.Time) {
	if len(args) == 2 && args[0].constant && args[1].form == formDate && !args[1].constant {
		if pattern, ok := toChar(args[0].o.Value.String()); ok {
			t.text("(_pando.date_part(")
			t.add(&args[1].buffer)
			t.text(", ")
			t.bind(args[0].o.Value.String())
			t.text(", ")
			t.bind(pattern)
			t.text(")" + collateC + ")")
			return
		}
	}
	t.text("(_pando.strftime(")
	for i, a := range args {
		if i > 0 {
			t.text(", ")
		}
		if a.constant || !a.o.MayBeNow() {
			d.asText(&t.buffer, a)
			continue
		}
		t.text("CASE WHEN lower(")
		d.asText(&t.buffer, a)
		t.text(") = 'now' THEN ")
		t.bind(pando.FormatTime(now))
		t.text(" ELSE ")
		d.asText(&t.buffer, a)
		t.text(" END")
	}
	t.text(")" + collateC + ")")
}

// charPatterns are the letters of strftime that to_char knows.
var charPatterns = map[byte]string{
	'Y': "YYYY", 'm': "MM", 'd': "DD", 'H': "HH24", 'I': "HH12", 'M': "MI", 'S': "SS", 'f': "SS.MS", 'j': "DDD", 'F': "YYYY-MM-DD",
	'T': "HH24:MI:SS", 'R': "HH24:MI", 'G': "IYYY", 'V': "IW", 'u': "ID", 'p': "AM", 'P': "am", '%': `"%"`,
}

// toChar is a format of strftime as to_char has it, which is much quicker on a
// column of times; false if it has not.
func toChar(format string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		c := format[i]
		switch {
		case c != '%' && (c == '"' || c == '\\' || c < ' ' || c >= 0x7f):
			return "", false
		case c != '%':
			b.WriteString(`"` + string(c) + `"`)
			continue
		}
		if i++; i == len(format) || charPatterns[format[i]] == "" {
			return "", false
		}
		b.WriteString(charPatterns[format[i]])
	}
	return b.String(), true
}

func (d postgres) lower(t *term) {
	var text buffer
	d.asText(&text, t)
	t.form, t.row, t.buffer = formText, "", buffer{}
	t.text("lower(")
	t.add(&text)
	t.text(")")
}

// sortKey writes what sorts as t's values do.
func (d postgres) sortKey(w *buffer, t *term) {
	switch t.form {
	case formJSON:
		d.asKey(w, t, false)
	case formDate:
		d.asTime(w, t)
	case formList, formPoint:
		d.asText(w, t)
	default:
		w.add(&t.buffer)
	}
}

// direction puts null first, as SQLite does; where there is none, an index need
// not be told.
func (postgres) direction(desc, nullable bool) string {
	switch {
	case nullable && desc:
		return " DESC NULLS LAST"
	case nullable:
		return " NULLS FIRST"
	}
	return direction(desc)
}
