package sqlgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/rule"
)

// term turns an expression of an index into SQL, with the types that its parts
// have in SQLite.
func (x indexer) term(e indexdef.Expr) (*term, error) {
	switch e := e.(type) {
	case indexdef.Name:
		return x.column(string(e))
	case indexdef.Literal:
		return x.constant(e)
	case indexdef.Call:
		return x.call(e)
	case indexdef.Cast:
		return x.cast(e)
	case indexdef.Collate:
		if strings.EqualFold(e.Collation, "BINARY") {
			return x.term(e.X)
		}
		return nil, fmt.Errorf("COLLATE %s can only stand behind a whole column of an index", e.Collation)
	case indexdef.Unary:
		if e.Op != "NOT" {
			return x.signed(e)
		}
	case indexdef.Binary:
		switch e.Op {
		case "->>", "->":
			return x.arrow(e)
		case "||":
			return x.joined(e)
		case "+", "-", "*":
			return x.computed(e)
		case "/", "%":
			return nil, fmt.Errorf("%s cannot be carried over: what %s gives hangs on how a number was written", e, e.Op)
		}
	}
	t := expression(formBool) // a condition is 1, 0 or null
	t.nullable = true
	t.text("(")
	err := x.condition(&t.buffer, e, true)
	t.text(")")
	return t, err
}

// operand is a term that something is computed of.
func (x indexer) operand(e indexdef.Expr) (*term, error) {
	t, err := x.term(e)
	if err == nil && t.null() {
		return nil, errors.New("what is computed of NULL is NULL for all records")
	}
	return t, err
}

// expression is the term of an expression that is no column: it has a type in
// PostgreSQL, and none in SQLite that would pull at another.
func expression(f form) *term {
	return &term{o: &rule.Operand{Kind: rule.OperandItem}, form: f}
}

func (x indexer) column(name string) (*term, error) {
	f := x.field(name)
	if f == nil {
		switch strings.ToLower(name) {
		case "rowid", "_rowid_", "oid":
			t := expression(formWhole)
			t.text(postgresRow)
			return t, nil
		}
		return nil, fmt.Errorf("%s has no field %q", x.c.Name, name)
	}
	t := &term{o: &rule.Operand{Kind: rule.OperandField, Field: f, Affinity: rule.AffinityOf(f)}}
	t.form = formOf(f)
	t.text(x.d.quote(f.Name))
	if t.form == formJSON {
		t.text(", " + pathLiteral(nil))
		t.nullable = true
	}
	return t, nil
}

func (x indexer) constant(l indexdef.Literal) (*term, error) {
	t := &term{o: &rule.Operand{Literal: true}, constant: true}
	switch l.Kind {
	case indexdef.Text:
		t.o.Value = rule.Text(l.Text)
	case indexdef.Number:
		if n, err := strconv.ParseInt(l.Text, 10, 64); err == nil {
			t.o.Value = rule.Int(n)
			break
		}
		f, err := strconv.ParseFloat(l.Text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is no number", l.Text)
		}
		t.o.Value = rule.Real(f)
	}
	t.nullable = l.Kind == indexdef.Null
	return t, nil
}

// functions of SQL that are the same in both databases, of texts and to a text.
var textFunctions = map[string]string{
	"lower": "lower", "upper": "upper", "trim": "btrim", "ltrim": "ltrim", "rtrim": "rtrim",
}

// dateFunctions are short for strftime with a format.
var dateFunctions = map[string]string{"date": "%Y-%m-%d", "time": "%H:%M:%S", "datetime": "%Y-%m-%d %H:%M:%S"}

func (x indexer) call(c indexdef.Call) (*term, error) {
	if c.Func == "json_extract" {
		if len(c.Args) == 2 {
			if path, ok := c.Args[1].(indexdef.Literal); ok && path.Kind == indexdef.Text {
				return x.path(c.Args[0], path.Text)
			}
		}
		return nil, fmt.Errorf("%s: json_extract takes a json field and one path in quotes", c)
	}
	args := make([]*term, len(c.Args))
	nullable := false
	for i, a := range c.Args {
		var err error
		if args[i], err = x.operand(a); err != nil {
			return nil, err
		}
		nullable = nullable || args[i].nullable
	}
	t := expression(formText)
	t.nullable = nullable
	format, isDate := dateFunctions[c.Func]
	switch name := textFunctions[c.Func]; {
	case name != "" && (len(args) == 1 || len(args) == 2 && strings.HasSuffix(name, "trim")):
		x.texts(t, name, args)
	case c.Func == "length" && len(args) == 1:
		t.form = formWhole
		x.texts(t, "length", args)
	case c.Func == "abs" && len(args) == 1 && args[0].form.number() && !args[0].constant:
		if t.form = args[0].form; t.form == formBool {
			t.form = formWhole
		}
		t.text("abs(")
		x.d.asNumber(&t.buffer, args[0])
		t.text(")")
	case (c.Func == "coalesce" && len(args) > 1 || c.Func == "ifnull" && len(args) == 2) && sameClass(args):
		t.form = args[0].form
		t.nullable = args[len(args)-1].nullable
		x.values(t, "COALESCE", args)
	case c.Func == "strftime" && len(args) > 1:
		return x.strftime(t, args)
	case isDate && len(args) > 0:
		first := &term{o: &rule.Operand{Value: rule.Text(format)}, constant: true}
		return x.strftime(t, append([]*term{first}, args...))
	case c.Func == "substr" && (len(args) == 2 || len(args) == 3) && positive(c.Args[1:]):
		t.text("substr(")
		x.d.asText(&t.buffer, args[0])
		for _, a := range c.Args[1:] {
			t.text(", " + a.String())
		}
		t.text(")")
	default:
		return nil, fmt.Errorf("%s cannot be carried over to PostgreSQL", c)
	}
	return t, nil
}

// texts writes a function of texts.
func (x indexer) texts(t *term, name string, args []*term) {
	t.text(name + "(")
	for i, a := range args {
		if i > 0 {
			t.text(", ")
		}
		x.d.asText(&t.buffer, a)
	}
	t.text(")")
}

// values writes a function of values of one class.
func (x indexer) values(t *term, name string, args []*term) {
	if t.form != formText && !t.form.number() {
		t.form = formText
	}
	t.text(name + "(")
	for i, a := range args {
		if i > 0 {
			t.text(", ")
		}
		if t.form.number() {
			x.d.asNumber(&t.buffer, a)
		} else {
			x.d.asText(&t.buffer, a)
		}
	}
	t.text(")")
	if t.form == formBool || t.form == formWhole {
		t.form = formNumber
	}
}

// sameClass tells whether all are numbers or all are texts, and the first no
// constant.
func sameClass(args []*term) bool {
	for _, a := range args {
		if plain(a).class == mixed || plain(a).class == times || (plain(a).class == numbers) != (plain(args[0]).class == numbers) {
			return false
		}
	}
	return !args[0].constant
}

// positive tells whether all are whole numbers above 0: what less means differs.
func positive(args []indexdef.Expr) bool {
	for _, a := range args {
		l, ok := a.(indexdef.Literal)
		if n, err := strconv.Atoi(l.Text); !ok || l.Kind != indexdef.Number || err != nil || n < 1 {
			return false
		}
	}
	return true
}

func (x indexer) strftime(t *term, args []*term) (*term, error) {
	for _, a := range args {
		if a.constant && strings.EqualFold(a.o.Value.String(), "now") {
			return nil, errors.New(`"now" cannot be in an index: it changes`)
		}
	}
	t.nullable = true
	x.texts(t, "_pando.strftime", args)
	inner := t.buffer
	t.buffer = buffer{}
	t.text("(")
	t.add(&inner)
	t.text(collateC + ")")
	return t, nil
}

func (x indexer) cast(c indexdef.Cast) (*term, error) {
	from, err := x.operand(c.X)
	if err != nil {
		return nil, err
	}
	switch c.Type {
	case "TEXT", "VARCHAR", "CHAR":
		t := expression(formText)
		t.o.Affinity, t.nullable = rule.AffinityText, from.nullable
		x.d.asText(&t.buffer, from)
		return t, nil
	case "REAL", "NUMERIC", "INTEGER", "INT":
		if from.constant || !from.form.number() {
			break
		}
		t := expression(from.form)
		t.o.Affinity, t.nullable = rule.AffinityNumeric, from.nullable
		switch c.Type {
		case "REAL":
			t.form = formReal
		case "INTEGER", "INT":
			t.text("trunc(")
			defer t.text(")")
		}
		x.d.asNumber(&t.buffer, from)
		return t, nil
	}
	return nil, fmt.Errorf("%s cannot be carried over to PostgreSQL", c)
}

func (x indexer) joined(b indexdef.Binary) (*term, error) {
	l, err := x.operand(b.Left)
	if err != nil {
		return nil, err
	}
	r, err := x.operand(b.Right)
	if err != nil {
		return nil, err
	}
	t := expression(formText)
	t.nullable = l.nullable || r.nullable
	t.text("(")
	x.d.asText(&t.buffer, l)
	t.text(" || ")
	x.d.asText(&t.buffer, r)
	t.text(")")
	return t, nil
}

// computed is a sum, difference or product of numbers.
func (x indexer) computed(b indexdef.Binary) (*term, error) {
	l, err := x.operand(b.Left)
	if err != nil {
		return nil, err
	}
	r, err := x.operand(b.Right)
	if err != nil {
		return nil, err
	}
	if plain(l).class != numbers || plain(r).class != numbers {
		return nil, fmt.Errorf("%s cannot be carried over to PostgreSQL: both sides must be number fields or numbers", b)
	}
	if l.constant && r.constant {
		return nil, fmt.Errorf("%s is the same for all records", b)
	}
	t := expression(formNumber)
	t.nullable = l.nullable || r.nullable
	t.text("(")
	x.d.asNumber(&t.buffer, l)
	t.text(" " + b.Op + " ")
	x.d.asNumber(&t.buffer, r)
	t.text(")")
	return t, nil
}

func (x indexer) signed(u indexdef.Unary) (*term, error) {
	if l, ok := u.X.(indexdef.Literal); ok && l.Kind == indexdef.Number {
		if u.Op == "-" {
			l.Text = "-" + l.Text
		}
		return x.constant(l)
	}
	if u.Op == "+" {
		return x.term(u.X)
	}
	return x.computed(indexdef.Binary{Op: "-", Left: indexdef.Literal{Kind: indexdef.Number, Text: "0"}, Right: u.X})
}
