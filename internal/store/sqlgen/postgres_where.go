package sqlgen

import (
	"fmt"
	"strings"

	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/rule"
)

// condition writes an expression that holds or not, in SQL's sense: null is no
// value here, and equal to nothing.
func (x indexer) condition(w *buffer, e indexdef.Expr, strict bool) error {
	switch e := e.(type) {
	case indexdef.Unary:
		if e.Op == "NOT" {
			w.text("NOT (")
			err := x.condition(w, e.X, true)
			w.text(")")
			return err
		}
	case indexdef.Binary:
		switch e.Op {
		case "AND", "OR":
			return x.both(w, e, strict)
		case "=", "!=", "IS", "IS NOT", "<", "<=", ">", ">=", "LIKE", "NOT LIKE":
			return x.compare(w, e, strict)
		}
	case indexdef.In:
		return x.in(w, e, strict)
	case indexdef.Between:
		// x BETWEEN a AND b is x >= a AND x <= b.
		var within indexdef.Expr = indexdef.Binary{
			Op:    "AND",
			Left:  indexdef.Binary{Op: ">=", Left: e.X, Right: e.Low},
			Right: indexdef.Binary{Op: "<=", Left: e.X, Right: e.High},
		}
		if e.Not {
			within = indexdef.Unary{Op: "NOT", X: within}
		}
		return x.condition(w, within, strict)
	}
	t, err := x.term(e)
	if err != nil {
		return err
	}
	switch {
	case t.constant || !t.form.number():
		return fmt.Errorf("%s is no condition", e)
	case t.form == formBool:
		w.add(&t.buffer)
	default:
		x.d.asNumber(w, t)
		w.text(" <> 0")
	}
	return nil
}

func (x indexer) both(w *buffer, e indexdef.Binary, strict bool) error {
	w.text("(")
	if err := x.condition(w, e.Left, strict); err != nil {
		return err
	}
	w.text(" " + e.Op + " ")
	if err := x.condition(w, e.Right, strict); err != nil {
		return err
	}
	w.text(")")
	return nil
}

func (x indexer) compare(w *buffer, e indexdef.Binary, strict bool) error {
	l, err := x.term(e.Left)
	if err != nil {
		return err
	}
	r, err := x.term(e.Right)
	if err != nil {
		return err
	}
	return x.terms(w, e, l, r, strict)
}

func (x indexer) terms(w *buffer, e indexdef.Binary, l, r *term, strict bool) error {
	if l.constant && r.constant {
		return fmt.Errorf("%s is the same for all records", e)
	}
	if l.constant && !strings.HasSuffix(e.Op, "LIKE") {
		l, r = r, l
		if op, ok := mirrored[e.Op]; ok {
			e.Op = op
		}
	}
	switch e.Op {
	case "LIKE", "NOT LIKE":
		if l.constant || !r.constant {
			return fmt.Errorf("%s: LIKE needs a column and a pattern in quotes", e)
		}
		if r.null() {
			x.d.unknown(w)
			return nil
		}
		return x.like(w, e.Op, l, r)
	case "<", "<=", ">", ">=":
		a, b := converted(l, r)
		x.d.ordered(w, orders[e.Op], a, b, strict)
		return nil
	}
	is := strings.HasPrefix(e.Op, "IS")
	equal := e.Op == "=" || e.Op == "IS"
	switch {
	case r.null() && is:
		x.d.isNull(w, l, equal)
	case r.null():
		x.d.unknown(w)
	case r.blank() && l.form == formDate:
		x.d.isBlank(w, l, equal)
	default:
		a, b := converted(l, r)
		x.d.same(w, a, b, equal, is, strict)
	}
	return nil
}

var mirrored = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}

var orders = map[string]rule.Op{"<": rule.Less, "<=": rule.LessEqual, ">": rule.Greater, ">=": rule.GreaterEqual}

// like has no escape character, as LIKE of SQLite.
func (x indexer) like(w *buffer, op string, l, r *term) error {
	x.d.asText(w, l)
	w.text(strings.Replace(" "+op+" ", "LIKE", "ILIKE", 1))
	w.bind(storable(strings.ReplaceAll(r.o.Value.String(), `\`, `\\`)))
	return nil
}

func (x indexer) in(w *buffer, e indexdef.In, strict bool) error {
	if len(e.List) == 0 {
		return fmt.Errorf("%s: the list is empty", e)
	}
	if e.Not {
		w.text("NOT ")
		strict = true
	}
	l, err := x.term(e.X)
	if err != nil {
		return err
	}
	w.text("(")
	for i, item := range e.List {
		if i > 0 {
			w.text(" OR ")
		}
		r, err := x.term(item)
		if err != nil {
			return err
		}
		untyped := *r.o // only what is looked for has a type that counts
		untyped.Affinity, r.o = rule.AffinityNone, &untyped
		if err := x.terms(w, indexdef.Binary{Op: "=", Left: e.X, Right: item}, l, r, strict); err != nil {
			return err
		}
	}
	w.text(")")
	return nil
}
