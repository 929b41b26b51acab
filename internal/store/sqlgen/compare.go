package sqlgen

import (
	"github.com/pandobase/pando/internal/rule"
)

// compare writes a comparison; the sides may see different rows. strict asks for
// the exact truth, null included, because NOT stands around it; else only
// whether it holds matters, and the SQL may be simpler.
func (g *generator) compare(w *buffer, left, right *scope, c *rule.Compare, strict bool) {
	l, r := g.term(left, c.Left), g.term(right, c.Right)
	switch c.Op {
	case rule.Equal, rule.NotEqual:
		g.equal(w, c.Op, l, r, strict)
	case rule.Like, rule.NotLike:
		g.like(w, c, l, r)
	default:
		w.add(l.facing(r))
		w.text(signs[c.Op])
		w.add(r.facing(l))
	}
}

var signs = map[rule.Op]string{
	rule.Less: " < ", rule.LessEqual: " <= ", rule.Greater: " > ", rule.GreaterEqual: " >= ",
}

// equal writes the language's equality: null and "" are the same, except for
// JSON paths and distances. See rule.Compare for the same in Go.
func (g *generator) equal(w *buffer, op rule.Op, l, r *term, strict bool) {
	equal := op == rule.Equal
	switch {
	case l.o.Exact || r.o.Exact:
		switch {
		case l.null():
			g.isNull(w, r, equal)
		case r.null():
			g.isNull(w, l, equal)
		case equal && !strict && (l.filled || r.filled):
			g.pair(w, l, r, " = ")
		case equal:
			g.pair(w, l, r, g.d.same())
		default:
			g.pair(w, l, r, g.d.differs())
		}
	case l.blank():
		g.isBlank(w, r, equal)
	case r.blank():
		g.isBlank(w, l, equal)
	case l.o.Literal || r.o.Literal:
		switch {
		case equal:
			g.pair(w, l, r, " = ")
		case l.nullable || r.nullable:
			g.pair(w, l, r, g.d.differs())
		default:
			g.pair(w, l, r, " <> ")
		}
	default:
		g.merged(w, l, r, equal, strict)
	}
}

func (g *generator) pair(w *buffer, l, r *term, sign string) {
	w.add(l.facing(r))
	w.text(sign)
	w.add(r.facing(l))
}

func (g *generator) isNull(w *buffer, t *term, equal bool) {
	w.add(&t.buffer)
	if equal {
		w.text(" IS NULL")
	} else {
		w.text(" IS NOT NULL")
	}
}

// isBlank writes that t is null or "", or that it is neither.
func (g *generator) isBlank(w *buffer, t *term, equal bool) {
	switch {
	case !t.nullable && equal:
		w.add(&t.buffer)
		w.text(" = ''")
	case !t.nullable:
		w.add(&t.buffer)
		w.text(" <> ''")
	case equal:
		w.text("(")
		w.add(&t.buffer)
		w.text(" = '' OR ")
		w.add(&t.buffer)
		w.text(" IS NULL)")
	default:
		w.text("(")
		w.add(&t.buffer)
		w.text(" <> '' AND ")
		w.add(&t.buffer)
		w.text(" IS NOT NULL)")
	}
}

// merged compares two columns, neither of which is a literal: null counts as "",
// and columns of different types are never equal, since no affinity is left.
func (g *generator) merged(w *buffer, l, r *term, equal, strict bool) {
	sign := " = "
	if !equal {
		sign = " <> "
	}
	if equal && !strict && (l.nullable && r.filled && !r.nullable || r.nullable && l.filled && !l.nullable) && l.alike(r) {
		// What is there cannot equal null: keep the columns bare for an index.
		w.add(&l.buffer)
		w.text(sign)
		w.add(&r.buffer)
		return
	}
	bare := !l.nullable && !r.nullable && l.alike(r)
	l.merge(w, bare)
	w.text(sign)
	r.merge(w, bare)
}

// like writes ~ and !~.
func (g *generator) like(w *buffer, c *rule.Compare, l, r *term) {
	if l.constant {
		w.bind(l.o.Value.String())
	} else {
		w.add(&l.buffer)
	}
	if c.Op == rule.NotLike {
		w.text(" NOT")
	}
	w.text(g.d.like())
	if r.constant {
		w.bind(r.o.Pattern(r.o.Value))
	} else {
		w.text("('%' || ")
		w.add(&r.buffer)
		w.text(" || '%')")
	}
	w.text(` ESCAPE '\'`)
}
