package records

import (
	"sync"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/wire"
)

// plans is what is compiled of one catalog. It is made empty and filled as
// collections are asked for.
type plans struct {
	catalog *store.Catalog
	byID    sync.Map // collection id → *plan
}

// plan is what is compiled of one collection.
type plan struct {
	of   *plans
	coll *pando.Collection
	wire *wire.Plan

	// Rules are compiled when they are needed: one that names a field that is
	// gone spoils its own action only.
	list, view, create, update, delete, manage access

	referrers func() []referrer

	shapes shapes
}

// access is one rule of a collection, compiled.
type access struct {
	text    *string // nil: superusers only
	compile func() (*rule.Rule, error)
}

func (a *access) closed() bool { return a.text == nil }
func (a *access) open() bool   { return a.text != nil && *a.text == "" }

// referrer is a relation field that points at a collection.
type referrer struct {
	coll  *pando.Collection
	field *pando.Field
}

// plansOf is the plans of c. Catalogs are told apart by identity: a version may
// have been given to a change that was rolled back before, and its plans must
// not be used for another.
func (s *Records) plansOf(c *store.Catalog) *plans {
	if ps := s.plans.Load(); ps != nil && ps.catalog == c {
		return ps
	}
	return &plans{catalog: c}
}

// published is the plans of c, a catalog that was committed; those of the newest
// are kept.
func (s *Records) published(c *store.Catalog) *plans {
	for {
		ps := s.plans.Load()
		switch {
		case ps != nil && ps.catalog == c:
			return ps
		case ps != nil && ps.catalog.Version > c.Version:
			return &plans{catalog: c} // a snapshot of yesterday
		}
		if next := (&plans{catalog: c}); s.plans.CompareAndSwap(ps, next) {
			return next
		}
	}
}

// collection is the plan of the collection that ref names, nil if there is none.
func (ps *plans) collection(ref string) *plan {
	c := ps.catalog.Collection(ref)
	if c == nil {
		return nil
	}
	return ps.plan(c)
}

func (ps *plans) plan(c *pando.Collection) *plan {
	if p, ok := ps.byID.Load(c.ID); ok {
		return p.(*plan)
	}
	p, _ := ps.byID.LoadOrStore(c.ID, ps.newPlan(c))
	return p.(*plan)
}

func (ps *plans) newPlan(c *pando.Collection) *plan {
	p := &plan{of: ps, coll: c, wire: wire.NewPlan(c)}
	of := func(text *string) access {
		return access{text: text, compile: func() (*rule.Rule, error) { return ps.catalog.Rule(c, *text) }}
	}
	p.list, p.view, p.create = of(c.ListRule), of(c.ViewRule), of(c.CreateRule)
	p.update, p.delete = of(c.UpdateRule), of(c.DeleteRule)
	if c.Auth != nil {
		p.manage = of(c.Auth.ManageRule)
	}
	p.referrers = sync.OnceValue(func() []referrer { return referrersOf(ps.catalog, c) })
	p.shapes.init()
	return p
}

// referrersOf lists the relation fields of tables that point at c.
func referrersOf(catalog *store.Catalog, c *pando.Collection) []referrer {
	var list []referrer
	for _, other := range catalog.Collections {
		if other.IsView() {
			continue
		}
		for _, f := range other.Fields {
			if o, ok := f.Options.(*pando.RelationOptions); ok && o.CollectionID == c.ID {
				list = append(list, referrer{other, f})
			}
		}
	}
	return list
}
