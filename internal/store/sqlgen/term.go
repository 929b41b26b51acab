package sqlgen

import (
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// term is an operand as SQL.
type term struct {
	buffer
	o        *rule.Operand
	d        Dialect
	constant bool // a bound value
	filled   bool // surely neither null nor ""
	nullable bool
}

func (t *term) null() bool { return t.constant && t.o.Value.IsNull() }

// blank tells whether t is a known value that is null or "".
func (t *term) blank() bool {
	return t.constant && (t.o.Value.IsNull() || t.o.Value.IsEmpty())
}

// facing is t beside other. A bound value has no type of its own in SQL, so
// where it stands for a column of the caller's record, and that column's type
// would make a difference, it is cast.
func (t *term) facing(other *term) *buffer {
	if !t.constant {
		return &t.buffer
	}
	mine, theirs := t.o.Affinity, other.o.Affinity
	if mine == rule.AffinityNumeric && theirs != rule.AffinityNumeric || mine == rule.AffinityText && theirs == rule.AffinityNone {
		var b buffer
		t.d.cast(&b, t.o.Value, mine)
		return &b
	}
	return &t.buffer
}

// alike tells whether comparing t with other converts neither.
func (t *term) alike(other *term) bool {
	return t.form() == other.form()
}

func (t *term) form() rule.Affinity {
	switch {
	case !t.constant:
		return t.o.Affinity
	case t.o.Value.IsText():
		return rule.AffinityText
	}
	return rule.AffinityNumeric
}

// merge writes t for a comparison in which null is "" and no type converts the
// other side.
func (t *term) merge(w *buffer, bare bool) {
	switch {
	case bare || t.constant:
		w.add(&t.buffer)
	case t.nullable:
		w.text("COALESCE(")
		w.add(&t.buffer)
		w.text(", '')")
	case t.o.Affinity == rule.AffinityNone:
		w.add(&t.buffer)
	default:
		w.text(t.d.untyped())
		w.add(&t.buffer)
	}
}

// term makes the SQL of an operand.
func (g *generator) term(sc *scope, o *rule.Operand) *term {
	t := &term{o: o, d: g.d, filled: g.isFilled(o)}
	w := &t.buffer
	if o.Kind == rule.OperandValue {
		t.constant = true
		t.nullable = o.Value.IsNull()
		w.bind(o.Value.Any())
		return t
	}
	t.nullable = o.Nullable(g.q.Collection)
	if o.Lower {
		w.text("LOWER(")
		defer w.text(")")
	}
	switch o.Kind {
	case rule.OperandField:
		if o.Affinity == rule.AffinityNone && !o.Lower {
			w.text(g.d.untyped())
		}
		w.text(g.column(sc, o))
	case rule.OperandPath:
		g.document(w, sc, o)
	case rule.OperandItem:
		g.d.item(w, g.aliasOf(sc, o.Join))
	case rule.OperandLength:
		g.d.length(w, g.column(sc, o), o.Field)
		t.nullable = false
	case rule.OperandChanged:
		w.text("(")
		g.compare(w, sc, sc, &rule.Compare{Op: rule.NotEqual, Left: o.Args[0], Right: o.Args[1]}, true)
		w.text(")")
		t.nullable = false
	case rule.OperandDistance:
		var args [4]*buffer
		for i, a := range o.Args {
			args[i] = &g.term(sc, a).buffer
		}
		g.d.distance(w, args)
	case rule.OperandStrftime:
		g.strftime(w, sc, o.Args)
	default:
		g.fail("an operand was not bound")
	}
	return t
}

func (g *generator) column(sc *scope, o *rule.Operand) string {
	return g.aliasOf(sc, o.Join) + "." + quote(o.Field.Name)
}

// document writes a path into a JSON column: as the expression of an index where
// there is one, else in a form that copes with a column that holds no JSON. An
// index vouches for the column, since it would have refused the row.
func (g *generator) document(w *buffer, sc *scope, o *rule.Operand) {
	c := g.q.Collection
	if o.Join != nil {
		c = o.Join.Collection
	}
	virtual := g.q.Virtual != nil && o.Join == nil
	if form := indexedPath(c, o.Field.Name, o.Path); form != noIndex && !virtual {
		g.d.indexedPath(w, g.column(sc, o), o.Path, form)
		return
	}
	g.d.path(w, g.column(sc, o), o.Path)
}

// strftime replaces a "now" that a column holds by the time of the request, so
// that one statement knows one time.
func (g *generator) strftime(w *buffer, sc *scope, args []*rule.Operand) {
	w.text("strftime(")
	for i, a := range args {
		if i > 0 {
			w.text(", ")
		}
		t := g.term(sc, a)
		if !a.MayBeNow() {
			w.add(&t.buffer)
			continue
		}
		w.text("CASE WHEN LOWER(")
		w.add(&t.buffer)
		w.text(") = 'now' THEN ")
		w.bind(pando.FormatTime(g.bound.Now()))
		w.text(" ELSE ")
		w.add(&t.buffer)
		w.text(" END")
	}
	w.text(")")
}

func (g *generator) fail(what string) {
	if g.err == nil {
		g.err = errors.New("sqlgen: " + what)
	}
}
