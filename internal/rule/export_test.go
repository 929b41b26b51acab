package rule

// Ungrouped is r as one question over all rows of all its joins: what grouping
// must not change.
func (r *Rule) Ungrouped() *Rule {
	flat := *r
	flat.plan = r.plan.ungrouped()
	flat.auths = map[string]*plan{}
	for id, p := range r.auths {
		flat.auths[id] = p.ungrouped()
	}
	if r.auths == nil {
		flat.auths = nil
	}
	return &flat
}

func (p *plan) ungrouped() *plan {
	flat := *p
	var many []*Join
	for _, j := range p.joins {
		if !j.Unique() {
			many = append(many, j)
		}
	}
	flat.cond = &Exists{Joins: many, Cond: withoutExists(p.cond)}
	return &flat
}

// Joins is the number of joins for a guest.
func (r *Rule) Joins() int { return len(r.plan.joins) }

func withoutExists(n Node) Node {
	switch n := n.(type) {
	case And:
		out := make(And, len(n))
		for i, p := range n {
			out[i] = withoutExists(p)
		}
		return out
	case Or:
		out := make(Or, len(n))
		for i, p := range n {
			out[i] = withoutExists(p)
		}
		return out
	case *Exists:
		return withoutExists(n.Cond)
	}
	return n
}
