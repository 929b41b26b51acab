package sqlgen

import (
	"strconv"

	"github.com/pandobase/pando/internal/rule"
)

// scope knows the aliases of the joins that are in sight.
type scope struct {
	parent *scope
	alias  map[*rule.Join]string
	items  map[*rule.Join]string // of the table of items through which a row is joined
}

func (s *scope) setItems(j *rule.Join, alias string) {
	if s.items == nil {
		s.items = map[*rule.Join]string{}
	}
	s.items[j] = alias
}

func (s *scope) set(j *rule.Join, alias string) {
	if s.alias == nil {
		s.alias = map[*rule.Join]string{}
	}
	s.alias[j] = alias
}

func (s *scope) find(j *rule.Join) (string, bool) {
	for ; s != nil; s = s.parent {
		if a, ok := s.alias[j]; ok {
			return a, true
		}
	}
	return "", false
}

// aliasOf is the alias of a join's row. Joins that follow from the record are
// put beside t when they are first asked for.
func (g *generator) aliasOf(sc *scope, j *rule.Join) string {
	if j == nil {
		return "t"
	}
	if a, ok := sc.find(j); ok {
		return a
	}
	a := g.newAlias()
	if j.Unique() {
		parent := g.aliasOf(&g.top, j.Parent) // writes the parents' joins first
		g.top.set(j, a)
		g.joined.text(" LEFT JOIN ")
		g.joined.text(g.d.quote(j.Collection.Name) + " AS " + a + " ON ")
		g.on(&g.joined, j, parent, a)
		return a
	}
	g.fail("a path is used outside of its joins")
	return a
}

func (g *generator) newAlias() string {
	g.aliases++
	return "j" + strconv.Itoa(g.aliases)
}

// joins writes the tables of an EXISTS. needed tells of which joins a row of
// nulls cannot matter; path walks one path, where only the case of no rows at
// all cannot matter. The condition of the first table is returned, to stand in
// the WHERE clause; all later ones have ON clauses.
func (g *generator) joins(w *buffer, sc *scope, joins []*rule.Join, needed func(*rule.Join) bool) *buffer {
	return g.tables(w, sc, joins, needed, " JOIN ")
}

func (g *generator) path(w *buffer, sc *scope, joins []*rule.Join) *buffer {
	first := func(j *rule.Join) bool { return j == joins[0] }
	return g.tables(w, sc, joins, first, " LEFT JOIN ") // an id whose record is gone is a row of nulls
}

func (g *generator) tables(w *buffer, sc *scope, joins []*rule.Join, needed func(*rule.Join) bool, record string) *buffer {
	on := new(buffer)
	if len(joins) == 0 {
		w.text(g.d.one())
		return on
	}
	first := joins[0]
	if !needed(first) {
		w.text(g.d.one())
		g.leftJoins(w, sc, joins)
		return on
	}
	parent := g.parentAlias(sc, first)
	items, alias := g.names(sc, first)
	switch {
	case items == "":
		w.text(g.d.quote(first.Collection.Name) + " AS " + alias)
		g.on(on, first, parent, alias)
	case first.Items():
		g.items(w, first, parent, items)
	default:
		g.items(w, first, parent, items)
		w.text(record + g.d.quote(first.Collection.Name) + " AS " + alias + " ON ")
		g.d.itemIs(w, alias+"."+g.d.quote("id"), items)
	}
	for _, j := range joins[1:] {
		g.join(w, sc, j, needed(j))
	}
	return on
}

func (g *generator) leftJoins(w *buffer, sc *scope, joins []*rule.Join) {
	for _, j := range joins {
		g.join(w, sc, j, false)
	}
}

// join writes one join with its ON clause.
func (g *generator) join(w *buffer, sc *scope, j *rule.Join, inner bool) {
	word := " LEFT JOIN "
	if inner {
		word = " JOIN "
	}
	parent := g.parentAlias(sc, j)
	items, alias := g.names(sc, j)
	w.text(word)
	if items != "" {
		g.items(w, j, parent, items)
		w.text(" ON 1 = 1")
		if j.Items() {
			return
		}
		w.text(word)
	}
	w.text(g.d.quote(j.Collection.Name) + " AS " + alias + " ON ")
	if items != "" {
		g.d.itemIs(w, alias+"."+g.d.quote("id"), items)
		return
	}
	g.on(w, j, parent, alias)
}

func (g *generator) parentAlias(sc *scope, j *rule.Join) string {
	if j.Kind == rule.JoinIDs || j.Kind == rule.JoinItems || j.Kind == rule.JoinCollection {
		return ""
	}
	return g.aliasOf(sc, j.Parent)
}

// names gives a join its aliases: of the table of items, if it has one, and of
// its row. For joins that give items these are one.
func (g *generator) names(sc *scope, j *rule.Join) (items, row string) {
	row = g.newAlias()
	sc.set(j, row)
	switch {
	case j.Items():
		return row, row
	case j.Kind == rule.JoinRelation && j.Field.Multiple():
		items = g.newAlias()
		sc.setItems(j, items)
		return items, row
	}
	return "", row
}

// items writes the table of a list's items.
func (g *generator) items(w *buffer, j *rule.Join, parent, alias string) {
	if j.Kind == rule.JoinItems {
		g.d.valueItems(w, g.bound.Values(j), alias)
		return
	}
	g.d.columnItems(w, parent+"."+g.d.quote(j.Field.Name), alias)
}

// on writes which rows of a table belong to the parent's row.
func (g *generator) on(w *buffer, j *rule.Join, parent, alias string) {
	id := alias + "." + g.d.quote("id")
	switch j.Kind {
	case rule.JoinRelation:
		w.text(id + " = " + parent + "." + g.d.quote(j.Field.Name))
	case rule.JoinBack:
		column := alias + "." + g.d.quote(j.Field.Name)
		if j.Field.Multiple() {
			g.d.listHas(w, column, parent+"."+g.d.quote("id"))
			return
		}
		w.text(column + " = " + parent + "." + g.d.quote("id"))
	case rule.JoinCollection:
		w.text("1 = 1")
	case rule.JoinIDs:
		g.d.idIn(w, id, g.bound.Values(j))
	}
}
