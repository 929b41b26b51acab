package sqlgen

import (
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
)

// sortConditions adds what a client's sort keys bring along: through a
// collection that it may not list, it may not sort either.
func (g *generator) sortConditions() error {
	for _, k := range g.q.Sort {
		if k.Key() == nil {
			continue
		}
		g.bound = k.Key().Bind(g.request(), g.now)
		g.condition(g.bound.Cond)
	}
	return g.err
}

// request is who asks for the order.
func (g *generator) request() *pando.Request {
	if g.q.Request != nil {
		return g.q.Request
	}
	if len(g.q.Where) > 0 {
		return g.q.Where[0].Request
	}
	return nil
}

// order writes the ORDER BY clause.
func (g *generator) order() error {
	keys := 0
	next := func() *buffer {
		if keys++; keys == 1 {
			g.sorted.text(" ORDER BY ")
		} else {
			g.sorted.text(", ")
		}
		return &g.sorted
	}
	random, whole := false, false
	for _, k := range g.q.Sort {
		switch {
		case k.Random:
			next().text(g.d.random())
			random = true
		case k.RowID:
			if !g.q.Collection.IsView() && g.q.Virtual == nil {
				next().text(g.d.rowID("t") + g.d.direction(k.Desc, false))
				whole = true
			}
		default:
			whole = g.key(k, next) || whole
		}
	}
	if random || whole || g.q.Virtual != nil || g.q.Collection.IsView() {
		return g.err
	}
	next().text(g.d.rowID("t") + g.d.direction(g.tiesDescend(), false))
	return g.err
}

// key writes one sort key and tells whether it leaves no ties.
func (g *generator) key(k rule.SortKey, next func() *buffer) bool {
	g.bound = k.Key().Bind(g.request(), g.now)
	o := g.bound.Key
	if o.Kind == rule.OperandValue {
		return false // the same for all
	}
	var joins []*rule.Join
	add := func(j *rule.Join) {
		if !j.Unique() && !contains(joins, j) {
			joins = append(joins, j)
		}
	}
	if o.EachJoin(add); len(joins) > 0 {
		rule.EachJoin(g.bound.Guard, add)
	}
	w := next()
	if len(joins) > 0 {
		g.firstValue(w, o, joins)
		w.text(g.d.direction(k.Desc, true))
	} else {
		t := g.term(&g.top, o)
		g.d.sortKey(w, t)
		w.text(g.d.direction(k.Desc, t.nullable))
	}
	return o.IsOwnID() && !g.q.Collection.IsView()
}

// firstValue writes the value of the first row that a path leads to.
func (g *generator) firstValue(w *buffer, o *rule.Operand, joins []*rule.Join) {
	sc := &scope{parent: &g.top}
	var from buffer
	on := g.path(&from, sc, joins)
	w.text("(SELECT ")
	g.d.sortKey(w, g.term(sc, o))
	w.text(" FROM ")
	w.add(&from)
	word := " WHERE "
	if !on.empty() {
		w.text(word)
		w.add(on)
		word = " AND "
	}
	if guard, always := g.bound.Guard.(rule.Const); !always {
		w.text(word)
		g.node(w, sc, g.bound.Guard)
	} else if !guard {
		w.text(word + "1 = 0")
	}
	w.text(g.d.first(joins, sc))
	w.text(" LIMIT 1)")
}

func contains(joins []*rule.Join, j *rule.Join) bool {
	for _, have := range joins {
		if have == j {
			return true
		}
	}
	return false
}

// tiesDescend tells whether records that the sort keys do not tell apart stand
// newest first. They stand oldest first, except where an index that begins with
// the first key is read backwards: so the peer answers, and so the index serves
// the whole order.
func (g *generator) tiesDescend() bool {
	if len(g.q.Sort) == 0 || g.q.Sort[0].Key() == nil {
		return false
	}
	g.bound = g.q.Sort[0].Key().Bind(nil, g.now)
	o := g.bound.Key
	if o == nil || o.Kind != rule.OperandField || o.Join != nil || o.Lower || o.Affinity == rule.AffinityNone {
		return false
	}
	for _, d := range indexes(g.q.Collection) {
		first := d.Columns[0]
		plain := first.Collate == "" || strings.EqualFold(first.Collate, "binary")
		if plain && d.Where == "" && strings.EqualFold(first.Name, o.Field.Name) {
			return g.q.Sort[0].Desc != (first.Sort == "DESC")
		}
	}
	return false
}
