package records_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/pandobase/pando"
)

// grammar makes random collections, rules and queries that fit together, more
// often than not. Rules that fit nothing are part of the game.
type grammar struct {
	*rand.Rand
	tables []string // base collections, by their first names
	auths  []string
	fields map[string][]field // of tables and auths
}

// field is what the grammar needs to know of a field.
type field struct {
	name, to string // to: the collection that a relation leads to
	many     bool
	hidden   bool
}

func (g *grammar) pick(list ...string) string { return list[g.IntN(len(list))] }
func (g *grammar) one(n int) bool             { return g.IntN(n) == 0 }
func (g *grammar) all() []string              { return append(append([]string{}, g.tables...), g.auths...) }

// newGrammar draws the names and relations of a schema.
func newGrammar(seed uint64) *grammar {
	g := &grammar{Rand: rand.New(rand.NewPCG(seed, 7)), tables: []string{"t0", "t1", "t2"}, auths: []string{"users", "staff"}}
	g.fields = map[string][]field{}
	for _, c := range g.all() {
		list := []field{{name: "title"}, {name: "num"}, {name: "flag"}, {name: "meta"}, {name: "at"}, {name: "secret", hidden: true}}
		for i := range 2 + g.IntN(3) {
			list = append(list, field{name: fmt.Sprint("r", i), to: g.pick(g.all()...), many: g.one(3), hidden: g.one(6)})
		}
		g.fields[c] = list
	}
	return g
}

// define makes the fields of a collection besides those that every one of its
// type has.
func (g *grammar) define(c *pando.Collection) {
	for i, f := range g.fields[c.Name] {
		n := &pando.Field{ID: fmt.Sprintf("x%d", i), Name: f.name, Hidden: f.hidden}
		switch {
		case f.to != "":
			o := &pando.RelationOptions{CollectionID: "pbc_" + f.to, CascadeDelete: g.one(3), MaxSelect: 1}
			if f.many {
				o.MaxSelect = 4
			}
			n.Type, n.Options = pando.FieldRelation, o
		case f.name == "num":
			n.Type, n.Options = pando.FieldNumber, &pando.NumberOptions{}
		case f.name == "flag":
			n.Type, n.Options = pando.FieldBool, &pando.BoolOptions{}
		case f.name == "meta":
			n.Type, n.Options = pando.FieldJSON, &pando.JSONOptions{}
		case f.name == "at":
			n.Type, n.Options = pando.FieldDate, &pando.DateOptions{}
		default:
			n.Type, n.Options = pando.FieldText, &pando.TextOptions{}
		}
		c.Fields = append(c.Fields, n)
	}
}

// path is a path of at most depth relations from a collection, forwards and
// backwards, to something that can be compared.
func (g *grammar) path(c string, depth int) string {
	if depth > 0 && g.one(2) {
		if g.one(3) { // whoever points here
			for _, k := range g.Perm(len(g.all())) {
				from := g.all()[k]
				for _, f := range g.fields[from] {
					if f.to == c && g.one(2) {
						return from + "_via_" + f.name + "." + g.path(from, depth-1)
					}
				}
			}
		}
		for _, f := range g.fields[c] {
			if f.to != "" && g.one(2) {
				return f.name + "." + g.path(f.to, depth-1)
			}
		}
	}
	switch g.IntN(8) {
	case 0:
		return "id"
	case 1:
		f := g.fields[c][6+g.IntN(len(g.fields[c])-6)]
		if f.many {
			return f.name + g.pick("", ":length", ":each")
		}
		return f.name
	case 2:
		return "meta.a"
	case 3:
		if c == "users" || c == "staff" {
			return g.pick("email", "verified", "emailVisibility")
		}
	}
	return g.pick("title", "title", "title:lower", "num", "flag", "secret", "at")
}

// asked is something of the request.
func (g *grammar) asked() string {
	switch g.IntN(12) {
	case 0:
		return "@request.query.x"
	case 1:
		return "@request.headers.y"
	case 2:
		return g.pick("@request.method", "@request.context", "@request.query.x:isset", "@request.body.title")
	case 3:
		return "@request.auth." + g.pick("collectionId", "collectionName")
	case 4, 5:
		return "@request.auth.id"
	}
	return "@request.auth." + g.path(g.pick(g.auths...), 2)
}

// term is one side of a comparison in a rule of c.
func (g *grammar) term(c string) string {
	switch g.IntN(10) {
	case 0, 1, 2:
		return g.asked()
	case 3:
		other := g.pick(g.all()...)
		return "@collection." + other + g.pick("", ":z") + "." + g.path(other, 1)
	case 4, 5:
		return g.literal()
	}
	return g.path(c, 2)
}

// counterpart is something that left can well be equal to.
func (g *grammar) counterpart(c, left string) string {
	switch {
	case g.one(4):
		return g.term(c)
	case left == "@request.auth.collectionName":
		return g.pick(`"users"`, `"staff"`, `"usersnew"`, `"staffnew"`)
	case left == "@request.auth.id":
		for _, f := range g.fields[c] {
			if f.to == "users" || f.to == "staff" {
				return f.name
			}
		}
		return `"` + id(g.pick("ann", "bob")) + `"`
	case strings.HasPrefix(left, "@request.auth.") && strings.HasSuffix(left, "title"):
		return g.pick("title", `"a"`, `"b"`)
	}
	return g.term(c)
}

func (g *grammar) literal() string {
	return g.pick(`"a"`, `"b"`, `"A"`, `""`, `1`, `2`, `true`, `false`, `null`, `"users"`, `"GET"`, `@now`, `"`+id("t0x0")+`"`, `"`+id("ann")+`"`)
}

func (g *grammar) comparison(left, right string) string {
	return left + " " + g.pick("=", "=", "=", "!=", "?=", "?!=", "~", ">", "<=", "?~") + " " + right
}

// rule is a rule of c: open, closed (nil) or a text.
func (g *grammar) rule(c string) *string {
	switch g.IntN(7) {
	case 0:
		return nil
	case 1, 2:
		return new("")
	}
	parts := make([]string, 1+g.IntN(3))
	for i := range parts {
		left := g.term(c)
		parts[i] = g.comparison(left, g.counterpart(c, left))
	}
	return new(strings.Join(parts, g.pick(" && ", " || ", " || ")))
}

// filter is what a client asks for; a superuser may ask for more.
func (g *grammar) filter(c string, superuser bool) string {
	if g.one(3) {
		return ""
	}
	if superuser && g.one(2) {
		if r := g.rule(c); r != nil {
			return *r
		}
	}
	return g.comparison(g.path(c, 2), g.literal())
}

func (g *grammar) sort(c string) string {
	if g.one(2) {
		return ""
	}
	return g.pick("", "-", "+") + g.path(c, 1) + g.pick("", ",-num", ",id", ",@rowid")
}

// expand is some paths of relations.
func (g *grammar) expand(c string) string {
	var paths []string
	for range g.IntN(3) {
		at, path := c, []string{}
		for range 1 + g.IntN(3) {
			var ways []string
			to := map[string]string{}
			for _, f := range g.fields[at] {
				if f.to != "" {
					ways, to[f.name] = append(ways, f.name), f.to
				}
			}
			for _, from := range g.all() {
				for _, f := range g.fields[from] {
					if f.to == at {
						way := from + "_via_" + f.name
						ways, to[way] = append(ways, way), from
					}
				}
			}
			if len(ways) == 0 {
				break
			}
			way := g.pick(ways...)
			path, at = append(path, way), to[way]
		}
		paths = append(paths, strings.Join(path, "."))
	}
	return strings.Join(paths, ",")
}
