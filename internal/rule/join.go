package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
)

// join finds the join of this parent and key, or adds it.
func (r *resolver) join(parent *Join, key string, j Join) *Join {
	for _, have := range r.plan.joins {
		if have.Parent == parent && have.key == key {
			return have
		}
	}
	j.Parent, j.key, j.Index = parent, key, len(r.plan.joins)
	r.plan.joins = append(r.plan.joins, &j)
	return &j
}

// relation goes on to the records that a relation field points to.
func (r *resolver) relation(at *Join, c *pando.Collection, f *pando.Field) (*Join, *pando.Collection, error) {
	o, ok := f.Options.(*pando.RelationOptions)
	if !ok {
		return nil, nil, fmt.Errorf("field %q is not a relation", f.Name)
	}
	target := r.schema.Collection(o.CollectionID)
	if target == nil {
		return nil, nil, fmt.Errorf("the collection that field %q points to is gone", f.Name)
	}
	many := f.Multiple()
	return r.step(at, f.Name, Join{
		Kind: JoinRelation, Field: f, index: c.FieldIndex(f.Name), Collection: target, Many: many, Multi: many,
	})
}

// back goes on to the records of another collection that point here: name is
// collection_via_field.
func (r *resolver) back(at *Join, c *pando.Collection, name string) (*Join, *pando.Collection, error) {
	ref, field, _ := strings.Cut(name, "_via_")
	from := r.schema.Collection(ref)
	if from == nil {
		return nil, nil, unknownField(name)
	}
	f := from.Field(field)
	if f == nil || f.Type != pando.FieldRelation || r.client && f.Hidden {
		return nil, nil, fmt.Errorf("%q is no back relation: %s has no relation field %q", name, from.Name, field)
	}
	if o := f.Options.(*pando.RelationOptions); o.CollectionID != c.ID {
		return nil, nil, fmt.Errorf("%q is no back relation: field %q of %s does not point to %s", name, field, from.Name, c.Name)
	}
	unique, whole := uniqueOn(from, field)
	multiple := f.Multiple()
	return r.step(at, name, Join{
		Kind: JoinBack, Field: f, index: from.FieldIndex(field), Collection: from,
		Many: multiple || !whole, Multi: multiple || !unique,
	})
}

// uniqueOn tells whether an index allows each value of a column once, and
// whether it does so for all records.
func uniqueOn(c *pando.Collection, column string) (unique, whole bool) {
	for _, text := range c.Indexes {
		d, err := indexdef.Parse(text)
		if err != nil {
			continue // the database has refused it, then
		}
		unique = unique || d.UniqueOn(column)
		whole = whole || d.Covers(column)
	}
	return unique, whole
}

// step adds a join to records, under a client's limits.
func (r *resolver) step(at *Join, key string, j Join) (*Join, *pando.Collection, error) {
	if j.depth = 1; at != nil {
		j.depth = at.depth + 1
	}
	if j.depth > maxRelations {
		return nil, nil, fmt.Errorf("more than %d relations in one path", maxRelations)
	}
	joined := r.join(at, key, j)
	r.plan.read(j.Collection)
	if r.client && !slices.Contains(r.guarded, joined) { // a list rule may have gone the same way before
		r.guarded = append(r.guarded, joined)
		if err := r.guard(joined); err != nil {
			return nil, nil, err
		}
	}
	return joined, joined.Collection, nil
}

// guard brings the list rule of a collection along that a client's path leads
// into: what the client may not list it may not find out by filtering either.
func (r *resolver) guard(j *Join) error {
	c := j.Collection
	switch {
	case c.ListRule == nil:
		return fmt.Errorf("only superusers may filter through %s", c.Name)
	case *c.ListRule == "":
		return nil
	}
	e, err := parse(*c.ListRule)
	if err != nil {
		return fmt.Errorf("the list rule of %s: %w", c.Name, err)
	}
	sub := &resolver{schema: r.schema, auth: r.auth, plan: r.plan, base: j, own: c}
	n, err := sub.condition(e)
	if err != nil {
		return fmt.Errorf("the list rule of %s: %w", c.Name, err)
	}
	r.authPaths = r.authPaths || sub.authPaths
	none := &Compare{
		Op:    Equal,
		Left:  sub.field(j, c, c.Field("id"), modNone),
		Right: &Operand{Missing: true, Literal: true},
	}
	r.guards = append(r.guards, or(Or{none, n}))
	return nil
}

// collection resolves what follows "@collection.".
func (r *resolver) collection(name, rest string) (*Operand, error) {
	ref, rest, _ := strings.Cut(rest, ".")
	if rest == "" {
		return nil, unresolved(name)
	}
	ref, alias, aliased := strings.Cut(ref, ":")
	if aliased && (alias == "" || strings.Contains(alias, ":")) {
		return nil, unresolved(name)
	}
	c := r.schema.Collection(ref)
	if c == nil {
		return nil, unresolved(name)
	}
	path, mod, err := split(rest)
	if err != nil {
		return nil, err
	}
	// All records, whoever asks about which one: the join hangs on nothing.
	j := r.join(nil, "@collection."+c.ID+":"+alias, Join{Kind: JoinCollection, Collection: c, Many: true, Multi: true})
	r.plan.read(c)
	return r.walk(j, c, path, mod)
}
