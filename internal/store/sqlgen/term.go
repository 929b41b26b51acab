package sqlgen

import (
	"errors"

	"github.com/pandobase/pando/internal/rule"
)

// term is an operand as SQL.
type term struct {
	buffer
	o        *rule.Operand
	constant bool // a bound value
	filled   bool // surely neither null nor ""
	nullable bool

	view bool   // a column of a view, which has the type that its query gives it
	form form   // what the SQL is, for a database that has types
	row  string // a column that is null where the row is, for a form whose null says something else
}

func (t *term) null() bool { return t.constant && t.o.Value.IsNull() }

// blank tells whether t is a known value that is null or "".
func (t *term) blank() bool {
	return t.constant && (t.o.Value.IsNull() || t.o.Value.IsEmpty())
}

// term makes the SQL of an operand.
func (g *generator) term(sc *scope, o *rule.Operand) *term {
	t := &term{o: o, filled: g.isFilled(o)}
	if o.Kind == rule.OperandValue {
		t.constant = true
		t.nullable = o.Value.IsNull()
		g.d.value(t)
		return t
	}
	t.nullable = o.Nullable(g.q.Collection)
	t.view = g.ofView(o)
	switch o.Kind {
	case rule.OperandField:
		g.d.field(t, g.aliasOf(sc, o.Join))
	case rule.OperandPath:
		g.d.path(t, g.column(sc, o), g.pathForm(o))
	case rule.OperandItem:
		var values []rule.Value
		if o.Join.Kind == rule.JoinItems {
			values = g.bound.Values(o.Join)
		}
		g.d.item(t, g.aliasOf(sc, o.Join), values)
	case rule.OperandLength:
		g.d.length(t, g.column(sc, o))
		t.nullable = false
	case rule.OperandChanged:
		var differs buffer
		g.compare(&differs, sc, sc, &rule.Compare{Op: rule.NotEqual, Left: o.Args[0], Right: o.Args[1]}, true)
		g.d.changed(t, &differs)
		t.nullable = false
	case rule.OperandDistance:
		var args [4]*term
		for i, a := range o.Args {
			args[i] = g.term(sc, a)
		}
		g.d.distance(t, args)
	case rule.OperandStrftime:
		args := make([]*term, len(o.Args))
		for i, a := range o.Args {
			args[i] = g.term(sc, a)
		}
		g.d.strftime(t, args, g.bound.Now())
	default:
		g.fail("an operand was not bound")
	}
	if o.Lower {
		g.d.lower(t)
	}
	return t
}

func (g *generator) compare(w *buffer, left, right *scope, c *rule.Compare, strict bool) {
	g.d.compare(w, c, g.term(left, c.Left), g.term(right, c.Right), strict)
}

func (g *generator) column(sc *scope, o *rule.Operand) string {
	return g.aliasOf(sc, o.Join) + "." + g.d.quote(o.Field.Name)
}

// ofView tells whether the operand is a column of a view.
func (g *generator) ofView(o *rule.Operand) bool {
	if o.Join == nil {
		return g.q.Collection.IsView() && g.q.Virtual == nil
	}
	return o.Join.Collection != nil && o.Join.Collection.IsView()
}

// pathForm tells how an index has the path. An index vouches for the column,
// since it would have refused the row.
func (g *generator) pathForm(o *rule.Operand) pathForm {
	switch {
	case o.Join != nil:
		return indexedPath(o.Join.Collection, o.Field.Name, o.Path)
	case g.q.Virtual != nil:
		return noIndex
	}
	return indexedPath(g.q.Collection, o.Field.Name, o.Path)
}

func (g *generator) fail(what string) {
	if g.err == nil {
		g.err = errors.New("sqlgen: " + what)
	}
}
