package sqlgen

import (
	"github.com/pandobase/pando/internal/rule"
)

// class is what the values of a side of a comparison are once the types of both
// sides have done to each other what they do in SQLite.
type class uint8

const (
	texts   class = iota
	numbers       // which stand before texts
	times         // dates, which are texts, as PostgreSQL's own type
	mixed         // known by the row only: compared by key
)

// side is a term as it takes part in one comparison.
type side struct {
	*term
	class class
	loose bool       // mixed: texts that look like numbers are numbers
	value rule.Value // of a constant
}

// compare writes a comparison. Which of PostgreSQL's types the sides have is
// known here, and what SQLite's would do to them; so most comparisons are plain.
func (d postgres) compare(w *buffer, c *rule.Compare, l, r *term, strict bool) {
	switch c.Op {
	case rule.Equal, rule.NotEqual:
		d.equal(w, c.Op == rule.Equal, l, r, strict)
	case rule.Like, rule.NotLike:
		d.like(w, c, l, r, strict)
	default:
		a, b := converted(l, r)
		d.ordered(w, c.Op, a, b, strict)
	}
}

// converted are the sides of a comparison; see convert of internal/rule.
func converted(l, r *term) (a, b side) {
	a, b = plain(l), plain(r)
	switch la, ra := l.o.Affinity, r.o.Affinity; {
	case la == rule.AffinityNumeric && ra != rule.AffinityNumeric:
		b = b.numeric()
	case ra == rule.AffinityNumeric && la != rule.AffinityNumeric:
		a = a.numeric()
	case la == rule.AffinityText && ra == rule.AffinityNone:
		b = b.textual()
	case ra == rule.AffinityText && la == rule.AffinityNone:
		a = a.textual()
	}
	return a, b
}

// plain is a term that nothing converts.
func plain(t *term) side {
	s := side{term: t}
	switch {
	case t.constant:
		s.value = t.o.Value
		if s.value.IsNumber() {
			s.class = numbers
		}
	case t.form.number():
		s.class = numbers
	case t.form == formJSON:
		s.class = mixed
	case t.form == formDate:
		s.class = times
	}
	return s
}

// numeric makes numbers of texts that look like them. Lists, points and dates
// never do.
func (s side) numeric() side {
	switch {
	case s.constant:
		if s.value = s.value.Numeric(); s.value.IsNumber() {
			s.class = numbers
		}
	case s.form == formText || s.form == formJSON:
		s.class, s.loose = mixed, true
	}
	return s
}

// textual makes texts of numbers.
func (s side) textual() side {
	switch {
	case s.constant && s.value.IsNumber():
		s.value = rule.Text(s.value.String())
		s.class = texts
	case s.class == numbers || s.class == mixed:
		s.class = texts
	}
	return s
}

// ordered writes <, <=, > or >=.
func (d postgres) ordered(w *buffer, op rule.Op, a, b side, strict bool) {
	switch {
	case a.constant && !b.constant:
		d.bounded(w, flipped[op], b, a, strict)
	case b.constant:
		d.bounded(w, op, a, b, strict)
	case a.class == times && b.class == times:
		d.asTime(w, a.term)
		w.text(signs[op])
		d.asTime(w, b.term)
	case a.class == mixed || b.class == mixed:
		d.pair(w, a, b, signs[op])
	case a.class == numbers && b.class == numbers:
		d.pair(w, a, b, signs[op])
	case a.class == numbers:
		d.verdict(w, op == rule.Less || op == rule.LessEqual, strict, a.term, b.term)
	case b.class == numbers:
		d.verdict(w, op == rule.Greater || op == rule.GreaterEqual, strict, a.term, b.term)
	default:
		d.pair(w, a, b, signs[op])
	}
}

var flipped = map[rule.Op]rule.Op{
	rule.Less: rule.Greater, rule.LessEqual: rule.GreaterEqual, rule.Greater: rule.Less, rule.GreaterEqual: rule.LessEqual,
}

// bounded compares s with a constant.
func (d postgres) bounded(w *buffer, op rule.Op, s, constant side, strict bool) {
	v := constant.value
	if v.IsNull() {
		d.unknown(w)
		return
	}
	switch s.class {
	case numbers:
		if v.IsText() {
			d.verdict(w, op == rule.Less || op == rule.LessEqual, strict, s.term)
			return
		}
		f, equal := nearDouble(v)
		d.asNumber(w, s.term)
		w.text(signs[above(op, equal)])
		w.bind(f)
	case mixed:
		key, equal := nearText(valueKey(v))
		d.asKey(w, s.term, s.loose)
		w.text(signs[above(op, equal)])
		w.bind(key)
	case times:
		if v.IsNumber() {
			d.verdict(w, op == rule.Greater || op == rule.GreaterEqual, strict, s.term)
			return
		}
		at, equal := nearDate(v.String())
		d.asTime(w, s.term)
		w.text(signs[above(op, equal)])
		w.bind(at)
		w.text("::timestamptz")
	default:
		if v.IsNumber() {
			d.verdict(w, op == rule.Greater || op == rule.GreaterEqual, strict, s.term)
			return
		}
		text, equal := nearText(v.String())
		d.asText(w, s.term)
		w.text(signs[above(op, equal)])
		w.bind(text)
	}
}

// above is op against a bound that took a constant's place: the first value of
// the database from the constant on. Where that is not the constant itself, no
// value lies between them.
func above(op rule.Op, equal bool) rule.Op {
	switch {
	case equal:
		return op
	case op == rule.LessEqual:
		return rule.Less
	case op == rule.Greater:
		return rule.GreaterEqual
	}
	return op
}

// pair writes both sides, of classes that can be compared, around a sign.
func (d postgres) pair(w *buffer, a, b side, sign string) {
	byKey := a.class == mixed || b.class == mixed
	d.write(w, a, byKey)
	w.text(sign)
	d.write(w, b, byKey)
}

func (d postgres) write(w *buffer, s side, byKey bool) {
	switch {
	case byKey && s.constant:
		w.bind(storable(valueKey(s.value)))
	case byKey && s.class == texts && s.form.number(): // made texts by the other side
		w.text("('2' || ")
		d.asText(w, s.term)
		w.text(")")
	case byKey:
		d.asKey(w, s.term, s.loose)
	case s.constant:
		w.bind(s.value.Any())
	case s.class == numbers:
		d.asNumber(w, s.term)
	default:
		d.asText(w, s.term)
	}
}

// verdict writes what is known whatever the rows hold, so long as they hold
// something.
func (d postgres) verdict(w *buffer, holds, strict bool, terms ...*term) {
	var nullable []*term
	for _, t := range terms {
		if t.nullable && !t.constant {
			nullable = append(nullable, t)
		}
	}
	switch {
	case len(nullable) == 0 && holds:
		w.text("1 = 1")
		return
	case len(nullable) == 0 || !holds && !strict:
		w.text("1 = 0")
		return
	}
	if strict && !holds {
		w.text("(")
	}
	w.text("(")
	for i, t := range nullable {
		if i > 0 && holds {
			w.text(" AND ")
		} else if i > 0 {
			w.text(" OR ")
		}
		d.isNull(w, t, !holds)
	}
	switch {
	case holds && strict:
		w.text(" OR NULL::bool") // true, or null
	case strict:
		w.text(") AND NULL::bool") // false, or null
	}
	w.text(")")
}

func (postgres) unknown(w *buffer) { w.text("NULL::bool") }

// isNull writes that t is null, or that it is not.
func (d postgres) isNull(w *buffer, t *term, null bool) {
	switch {
	case t.form == formDate && t.row == "":
		if null {
			w.text("1 = 0")
		} else {
			w.text("1 = 1")
		}
		return
	case t.form == formDate:
		w.text(t.row)
	case t.form == formJSON:
		d.asKey(w, t, false)
	default:
		w.add(&t.buffer)
	}
	if null {
		w.text(" IS NULL")
	} else {
		w.text(" IS NOT NULL")
	}
}

// like writes ~ and !~.
func (d postgres) like(w *buffer, c *rule.Compare, l, r *term, strict bool) {
	if r.constant {
		pattern := r.o.Pattern(r.o.Value)
		if !PostgresHolds(pattern) || dangles(pattern) {
			d.verdict(w, c.Op == rule.NotLike, strict, l)
			return
		}
		d.asText(w, l)
		w.text(likeSigns[c.Op])
		w.bind(pattern)
		return
	}
	d.asText(w, l)
	w.text(likeSigns[c.Op] + "('%' || ")
	d.asText(w, r)
	w.text(" || '%')")
}

// ILIKE with collation "C" takes ASCII letters in any case, as SQLite's LIKE,
// and \ is what escapes.
var likeSigns = map[rule.Op]string{rule.Like: " ILIKE ", rule.NotLike: " NOT ILIKE "}

// dangles tells whether a pattern ends in a \ that escapes nothing. Nothing is
// like it, and PostgreSQL calls it an error.
func dangles(pattern string) bool {
	n := 0
	for n < len(pattern) && pattern[len(pattern)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}
