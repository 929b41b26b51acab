package sqlgen

import (
	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// node writes a condition.
func (g *generator) node(w *buffer, sc *scope, n rule.Node) {
	switch n := n.(type) {
	case rule.Const:
		if n {
			w.text("1 = 1")
		} else {
			w.text("1 = 0")
		}
	case rule.And:
		g.list(w, sc, n, " AND ")
	case rule.Or:
		w.text("(")
		g.list(w, sc, n, " OR ")
		w.text(")")
	case *rule.Exists:
		g.exists(w, sc, n)
	case *rule.Compare:
		g.compare(w, sc, sc, n, false)
		if n.All {
			w.text(" AND NOT ")
			g.counterexample(w, sc, n)
		}
	}
}

func (g *generator) list(w *buffer, sc *scope, parts []rule.Node, between string) {
	for i, p := range parts {
		if i > 0 {
			w.text(between)
		}
		// AND binds tighter than OR, so only a disjunction needs brackets, and
		// it has them.
		g.node(w, sc, p)
	}
}

// exists writes a condition over joins that can give many rows.
func (g *generator) exists(w *buffer, sc *scope, n *rule.Exists) {
	if c, ok := n.Cond.(*rule.Compare); ok && c.All && g.standsAlone(c) {
		// The counterexample does not hang on the row that holds: look for it
		// once, not for each such row.
		plain := *c
		plain.All = false
		g.exists(w, sc, &rule.Exists{Joins: n.Joins, Cond: &plain})
		w.text(" AND NOT ")
		g.counterexample(w, sc, c)
		return
	}
	if g.q.Virtual == nil && g.d.narrow(w, n, func(j *rule.Join, f *pando.Field) string { return g.aliasOf(sc, j) + "." + g.d.quote(f.Name) }) {
		w.text(" AND ")
	}
	inner := &scope{parent: sc}
	w.text("EXISTS (SELECT 1 FROM ")
	needs := func(j *rule.Join) bool { return g.rejectsNull(n.Cond, j) }
	on := g.joins(w, inner, n.Joins, needs)
	w.text(" WHERE ")
	if !on.empty() {
		w.add(on)
		w.text(" AND ")
	}
	g.node(w, inner, n.Cond)
	w.text(")")
}

// standsAlone tells whether each side of c either walks its path anew or is the
// same for all rows.
func (g *generator) standsAlone(c *rule.Compare) bool {
	for _, o := range []*rule.Operand{c.Left, c.Right} {
		if o.Multi {
			continue
		}
		alone := true
		o.EachJoin(func(j *rule.Join) { alone = alone && j.Unique() })
		if !alone {
			return false
		}
	}
	return true
}

// counterexample writes EXISTS of a pair of values for which c fails.
func (g *generator) counterexample(w *buffer, sc *scope, c *rule.Compare) {
	left, right := sc, sc
	var all []*rule.Join
	w.text("EXISTS (SELECT 1 FROM ")
	var on *buffer
	switch {
	case c.Left.Multi && c.Right.Multi:
		// An empty side still meets every value of the other, as null.
		left, right = &scope{parent: sc}, &scope{parent: sc}
		w.text(g.d.one())
		g.leftJoins(w, left, many(c.Left.Chain))
		g.leftJoins(w, right, many(c.Right.Chain))
	case c.Left.Multi:
		// A path without rows gives one null, which the comparison itself has
		// tried: from here on only rows matter.
		left, all = &scope{parent: sc}, many(c.Left.Chain)
		on = g.path(w, left, all)
	default:
		right, all = &scope{parent: sc}, many(c.Right.Chain)
		on = g.path(w, right, all)
	}
	w.text(" WHERE ")
	if on != nil && !on.empty() {
		w.add(on)
		w.text(" AND ")
	}
	w.text("NOT (")
	g.compare(w, left, right, c, true)
	w.text("))")
}

// many leaves the joins out that follow from the record: they stand outside.
func many(chain []*rule.Join) []*rule.Join {
	var out []*rule.Join
	for _, j := range chain {
		if !j.Unique() {
			out = append(out, j)
		}
	}
	return out
}

// rejectsNull tells whether n cannot hold while j's row is one of nulls, so that
// an inner join says the same as an outer one.
func (g *generator) rejectsNull(n rule.Node, j *rule.Join) bool {
	switch n := n.(type) {
	case rule.Const:
		return !bool(n)
	case rule.And:
		for _, p := range n {
			if g.rejectsNull(p, j) {
				return true
			}
		}
	case rule.Or:
		for _, p := range n {
			if !g.rejectsNull(p, j) {
				return false
			}
		}
		return true
	case *rule.Compare:
		l, r := nullWith(n.Left, j), nullWith(n.Right, j)
		if !l && !r {
			return false
		}
		switch n.Op {
		case rule.Equal:
			return l && g.isFilled(n.Right) || r && g.isFilled(n.Left)
		case rule.NotEqual:
			return l && isBlank(n.Left, n.Right) || r && isBlank(n.Right, n.Left)
		}
		return true
	}
	return false
}

// nullWith tells whether o is null when j's row is one of nulls.
func nullWith(o *rule.Operand, j *rule.Join) bool {
	switch o.Kind {
	case rule.OperandField, rule.OperandPath, rule.OperandItem:
		for at := o.Join; at != nil; at = at.Parent {
			if at == j {
				return true
			}
		}
	case rule.OperandDistance, rule.OperandStrftime:
		for _, a := range o.Args {
			if nullWith(a, j) {
				return true
			}
		}
	}
	return false
}

// isFilled tells whether o is surely neither null nor "".
func (g *generator) isFilled(o *rule.Operand) bool {
	switch o.Kind {
	case rule.OperandValue:
		return !o.Value.IsNull() && !o.Value.IsEmpty()
	case rule.OperandField:
		return o.IsOwnID() && !g.q.Collection.IsView()
	}
	return false
}

// isBlank tells whether comparing x with o asks if x is there at all.
func isBlank(x, o *rule.Operand) bool {
	if o.Kind != rule.OperandValue {
		return false
	}
	if x.Exact || o.Exact {
		return o.Value.IsNull()
	}
	return o.Value.IsNull() || o.Value.IsEmpty()
}
