package sqlgen

import (
	"github.com/pandobase/pando/internal/rule"
)

// equal writes the language's equality: null and "" are the same, except for
// JSON paths and distances. See rule.Compare for the same in Go.
func (d postgres) equal(w *buffer, equal bool, l, r *term, strict bool) {
	a, b := converted(l, r)
	switch {
	case l.o.Exact || r.o.Exact:
		switch {
		case l.null():
			d.isNull(w, r, equal)
		case r.null():
			d.isNull(w, l, equal)
		case equal && !strict && (l.filled || r.filled):
			d.same(w, a, b, true, false, strict)
		default:
			d.same(w, a, b, equal, true, strict)
		}
	case l.blank():
		d.isBlank(w, r, equal)
	case r.blank():
		d.isBlank(w, l, equal)
	case l.o.Literal || r.o.Literal:
		d.same(w, a, b, equal, !equal, strict)
	default:
		d.merged(w, plain(l), plain(r), equal, strict)
	}
}

// same writes equality of two sides; with exact, null is a value like others,
// else it makes the whole null.
func (d postgres) same(w *buffer, a, b side, equal, exact, strict bool) {
	if a.constant {
		a, b = b, a
	}
	exact = exact && (a.nullable || b.nullable)
	sign := equality(equal, exact)
	if b.constant {
		d.sameConstant(w, a, b.value, equal, exact, strict, sign)
		return
	}
	switch {
	case a.class == times && b.class == times:
		d.asTime(w, a.term)
		w.text(sign)
		d.asTime(w, b.term)
	case a.class == mixed || b.class == mixed || (a.class == numbers) == (b.class == numbers):
		d.pair(w, a, b, sign)
	default:
		d.never(w, a.term, b.term, equal, exact, strict)
	}
}

func equality(equal, exact bool) string {
	switch {
	case equal && exact:
		return " IS NOT DISTINCT FROM "
	case exact:
		return " IS DISTINCT FROM "
	case equal:
		return " = "
	}
	return " <> "
}

// sameConstant is same for a constant that is not null. What the column cannot
// hold it never equals.
func (d postgres) sameConstant(w *buffer, s side, v rule.Value, equal, exact, strict bool, sign string) {
	holds := true
	switch s.class {
	case numbers:
		var f float64
		if f, holds = nearDouble(v); v.IsText() || !holds {
			holds = false
			break
		}
		if s.form == formBool && (f == 0 || f == 1) {
			w.add(&s.buffer)
			w.text(sign)
			w.bind(f == 1)
			return
		}
		d.asNumber(w, s.term)
		w.text(sign)
		w.bind(f)
	case mixed:
		if holds = PostgresHolds(valueKey(v)); holds {
			d.asKey(w, s.term, s.loose)
			w.text(sign)
			w.bind(valueKey(v))
		}
	case times:
		var at string
		if at, holds = nearDate(v.String()); holds && v.IsText() {
			d.asTime(w, s.term)
			w.text(sign)
			w.bind(at)
			w.text("::timestamptz")
		}
		holds = holds && v.IsText()
	default:
		if holds = v.IsText() && PostgresHolds(v.String()); holds {
			d.asText(w, s.term)
			w.text(sign)
			w.bind(v.String())
		}
	}
	if !holds {
		d.never(w, s.term, nil, equal, exact, strict)
	}
}

// never writes equality of what is never equal unless both are null.
func (d postgres) never(w *buffer, a, b *term, equal, exact, strict bool) {
	if !exact {
		terms := []*term{a}
		if b != nil {
			terms = append(terms, b)
		}
		d.verdict(w, !equal, strict, terms...)
		return
	}
	if b == nil || !a.nullable || !b.nullable {
		if equal {
			w.text("1 = 0")
		} else {
			w.text("1 = 1")
		}
		return
	}
	if !equal {
		w.text("NOT ")
	}
	w.text("(")
	d.isNull(w, a, true)
	w.text(" AND ")
	d.isNull(w, b, true)
	w.text(")")
}

// isBlank writes that t is null or "", or that it is neither.
func (d postgres) isBlank(w *buffer, t *term, equal bool) {
	null := " IS NOT NULL"
	if equal {
		null = " IS NULL"
	}
	switch {
	case t.form == formDate:
		w.add(&t.buffer)
		w.text(null)
	case t.form == formJSON: // an item of the request
		d.filledKey(w, side{term: t})
		w.text(equality(equal, false) + "'2'")
	case t.form != formText: // never ""
		if t.nullable {
			d.isNull(w, t, equal)
		} else if equal {
			w.text("1 = 0")
		} else {
			w.text("1 = 1")
		}
	case !t.nullable:
		w.add(&t.buffer)
		w.text(equality(equal, false) + "''")
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
// and a number is never equal to a text.
func (d postgres) merged(w *buffer, a, b side, equal, strict bool) {
	switch {
	case a.constant:
		d.mergedConstant(w, b, a.value, equal, strict)
	case b.constant:
		d.mergedConstant(w, a, b.value, equal, strict)
	case a.class == mixed || b.class == mixed:
		d.filledKey(w, a)
		w.text(equality(equal, false))
		d.filledKey(w, b)
	case a.class == times && b.class == times:
		w.add(&a.buffer)
		w.text(equality(equal, true))
		w.add(&b.buffer)
	case a.class == numbers && b.class == numbers:
		d.pair(w, a, b, equality(equal, a.nullable || b.nullable))
	case a.class != numbers && b.class != numbers:
		if equal && !strict && (a.nullable && b.filled && !b.nullable || b.nullable && a.filled && !a.nullable) && a.form == b.form {
			// What is there cannot equal null: keep the columns bare for an index.
			w.add(&a.buffer)
			w.text(" = ")
			w.add(&b.buffer)
			return
		}
		d.filled(w, a)
		w.text(equality(equal, false))
		d.filled(w, b)
	case a.class == numbers:
		d.numberAndText(w, a, b, equal)
	default:
		d.numberAndText(w, b, a, equal)
	}
}

// filled writes a text with "" for null.
func (d postgres) filled(w *buffer, s side) {
	if !s.nullable {
		d.asText(w, s.term)
		return
	}
	w.text("COALESCE(")
	d.asText(w, s.term)
	w.text(", '')")
}

func (d postgres) filledKey(w *buffer, s side) {
	w.text("COALESCE(")
	d.asKey(w, s.term, s.loose)
	w.text(", '2')")
}

// numberAndText are equal where the one is null and the other is blank.
func (d postgres) numberAndText(w *buffer, number, text side, equal bool) {
	if !number.nullable {
		d.verdict(w, !equal, false)
		return
	}
	if !equal {
		w.text("NOT ")
	}
	w.text("(")
	d.isNull(w, number.term, true)
	w.text(" AND ")
	d.isBlank(w, text.term, true)
	w.text(")")
}

// mergedConstant is merged for a value of the caller's record, which is not
// blank, so null is as little equal to it as "".
func (d postgres) mergedConstant(w *buffer, s side, v rule.Value, equal, strict bool) {
	exact := s.nullable && (strict || !equal)
	d.sameConstant(w, s, v, equal, exact, strict, equality(equal, exact))
}
