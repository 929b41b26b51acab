package sqlgen

import (
	"github.com/pandobase/pando/internal/rule"
)

// compare writes a comparison; SQLite's types are those of the language.
func (d sqlite) compare(w *buffer, c *rule.Compare, l, r *term, strict bool) {
	switch c.Op {
	case rule.Equal, rule.NotEqual:
		d.equal(w, c.Op, l, r, strict)
	case rule.Like, rule.NotLike:
		d.like(w, c, l, r)
	default:
		d.pair(w, l, r, signs[c.Op])
	}
}

var signs = map[rule.Op]string{
	rule.Less: " < ", rule.LessEqual: " <= ", rule.Greater: " > ", rule.GreaterEqual: " >= ",
}

// equal writes the language's equality: null and "" are the same, except for
// JSON paths and distances. See rule.Compare for the same in Go.
func (d sqlite) equal(w *buffer, op rule.Op, l, r *term, strict bool) {
	equal := op == rule.Equal
	switch {
	case l.o.Exact || r.o.Exact:
		switch {
		case l.null():
			d.isNull(w, r, equal)
		case r.null():
			d.isNull(w, l, equal)
		case equal && !strict && (l.filled || r.filled):
			d.pair(w, l, r, " = ")
		case equal:
			d.pair(w, l, r, " IS ")
		default:
			d.pair(w, l, r, " IS NOT ")
		}
	case l.blank():
		d.isBlank(w, r, equal)
	case r.blank():
		d.isBlank(w, l, equal)
	case l.o.Literal || r.o.Literal:
		switch {
		case equal:
			d.pair(w, l, r, " = ")
		case l.nullable || r.nullable:
			d.pair(w, l, r, " IS NOT ")
		default:
			d.pair(w, l, r, " <> ")
		}
	default:
		d.merged(w, l, r, equal, strict)
	}
}

func (d sqlite) pair(w *buffer, l, r *term, sign string) {
	w.add(d.facing(l, r))
	w.text(sign)
	w.add(d.facing(r, l))
}

// facing is t beside other. A bound value has no type of its own in SQL, so
// where it stands for a column of the caller's record, and that column's type
// would make a difference, it is cast.
func (sqlite) facing(t, other *term) *buffer {
	if !t.constant {
		return &t.buffer
	}
	mine, theirs := t.o.Affinity, other.o.Affinity
	to := ""
	switch {
	case mine == rule.AffinityNumeric && theirs != rule.AffinityNumeric:
		to = " AS NUMERIC)"
	case mine == rule.AffinityText && theirs == rule.AffinityNone:
		to = " AS TEXT)"
	default:
		return &t.buffer
	}
	var b buffer
	b.text("CAST(")
	b.bind(t.o.Value.Any())
	b.text(to)
	return &b
}

func (sqlite) isNull(w *buffer, t *term, equal bool) {
	w.add(&t.buffer)
	if equal {
		w.text(" IS NULL")
	} else {
		w.text(" IS NOT NULL")
	}
}

// isBlank writes that t is null or "", or that it is neither.
func (sqlite) isBlank(w *buffer, t *term, equal bool) {
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
func (d sqlite) merged(w *buffer, l, r *term, equal, strict bool) {
	sign := " = "
	if !equal {
		sign = " <> "
	}
	alike := affinity(l) == affinity(r) // comparing converts neither
	if equal && !strict && alike && (l.nullable && r.filled && !r.nullable || r.nullable && l.filled && !l.nullable) {
		// What is there cannot equal null: keep the columns bare for an index.
		w.add(&l.buffer)
		w.text(sign)
		w.add(&r.buffer)
		return
	}
	bare := !l.nullable && !r.nullable && alike
	d.merge(w, l, bare)
	w.text(sign)
	d.merge(w, r, bare)
}

func affinity(t *term) rule.Affinity {
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
func (sqlite) merge(w *buffer, t *term, bare bool) {
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
		w.text(untyped)
		w.add(&t.buffer)
	}
}

// like writes ~ and !~.
func (sqlite) like(w *buffer, c *rule.Compare, l, r *term) {
	if l.constant {
		w.bind(l.o.Value.String())
	} else {
		w.add(&l.buffer)
	}
	if c.Op == rule.NotLike {
		w.text(" NOT")
	}
	w.text(" LIKE ")
	if r.constant {
		w.bind(r.o.Pattern(r.o.Value))
	} else {
		w.text("('%' || ")
		w.add(&r.buffer)
		w.text(" || '%')")
	}
	w.text(` ESCAPE '\'`)
}

func (sqlite) sortKey(w *buffer, t *term) { w.add(&t.buffer) }

// direction needs no word for null: it stands first as it is.
func (sqlite) direction(desc, _ bool) string { return direction(desc) }

func direction(desc bool) string {
	if desc {
		return " DESC"
	}
	return ""
}
