package rule

// and joins conditions: nested lists are flattened, what is known is dropped.
func and(parts And) Node {
	out := make(And, 0, len(parts))
	for _, p := range parts {
		switch p := p.(type) {
		case Const:
			if !p {
				return Const(false)
			}
		case And:
			out = append(out, p...)
		default:
			out = append(out, p)
		}
	}
	switch len(out) {
	case 0:
		return Const(true)
	case 1:
		return out[0]
	}
	return out
}

// or is and's counterpart.
func or(parts Or) Node {
	out := make(Or, 0, len(parts))
	for _, p := range parts {
		switch p := p.(type) {
		case Const:
			if p {
				return Const(true)
			}
		case Or:
			out = append(out, p...)
		default:
			out = append(out, p)
		}
	}
	switch len(out) {
	case 0:
		return Const(false)
	case 1:
		return out[0]
	}
	return out
}

// group puts the joins of n that can give many rows into Exists nodes, as far
// in as the meaning allows. The whole rule asks for one combination of all
// rows; that splits over || always, and over && between parts that share no
// join: A(x) and B(y) for some x, y is A(x) for some x and B(y) for some y. What
// is left together is small, and a comparison that needs no join stays outside,
// where an index can serve it.
func group(n Node) Node {
	switch n := n.(type) {
	case Or:
		out := make(Or, len(n))
		for i, p := range n {
			out[i] = group(p)
		}
		return or(out)
	case And:
		return groupAnd(n)
	case *Compare:
		if roots := manyRoots(n, nil); len(roots) > 0 {
			return exists(n)
		}
	}
	return n
}

// groupAnd splits a conjunction into groups that share joins.
func groupAnd(n And) Node {
	type cluster struct {
		roots []*Join
		parts And
	}
	var clusters []*cluster
	var out And
	for _, p := range n {
		c := &cluster{roots: manyRoots(p, nil), parts: And{p}}
		if len(c.roots) == 0 {
			out = append(out, p)
			continue
		}
		kept := clusters[:0]
		for _, have := range clusters {
			if !overlap(have.roots, c.roots) {
				kept = append(kept, have)
				continue
			}
			c.roots = append(have.roots, c.roots...)
			c.parts = append(have.parts, c.parts...)
		}
		clusters = append(kept, c)
	}
	for _, c := range clusters {
		if len(c.parts) == 1 {
			out = append(out, group(c.parts[0]))
			continue
		}
		out = append(out, exists(c.parts))
	}
	return and(out)
}

func overlap(a, b []*Join) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// exists wraps a condition with all joins that it needs from the first that can
// give many rows on. The others follow from the record.
func exists(n Node) Node {
	var used []*Join
	eachJoin(n, func(j *Join) {
		if j.root() != nil {
			used = addJoin(used, j)
		}
	})
	return &Exists{Joins: used, Cond: n}
}

// addJoin adds j after its parents.
func addJoin(to []*Join, j *Join) []*Join {
	for _, have := range to {
		if have == j {
			return to
		}
	}
	if j.Parent != nil && j.Parent.root() != nil {
		to = addJoin(to, j.Parent)
	}
	return append(to, j)
}

// manyRoots lists the first joins on n's paths that can give many rows.
func manyRoots(n Node, to []*Join) []*Join {
	eachJoin(n, func(j *Join) {
		if root := j.root(); root != nil && !overlap(to, []*Join{root}) {
			to = append(to, root)
		}
	})
	return to
}

// eachJoin calls f for the joins that n's operands stand at.
func eachJoin(n Node, f func(*Join)) {
	switch n := n.(type) {
	case And:
		for _, p := range n {
			eachJoin(p, f)
		}
	case Or:
		for _, p := range n {
			eachJoin(p, f)
		}
	case *Exists:
		eachJoin(n.Cond, f)
	case *Compare:
		n.Left.eachJoin(f)
		n.Right.eachJoin(f)
	}
}

func (o *Operand) eachJoin(f func(*Join)) {
	if o.Join != nil {
		f(o.Join)
	}
	for _, a := range o.Args {
		a.eachJoin(f)
	}
}

// EachJoin calls f for every join that the operand needs, parents included and
// first; f may be called more than once for one join.
func (o *Operand) EachJoin(f func(*Join)) {
	var up func(j *Join)
	up = func(j *Join) {
		if j.Parent != nil {
			up(j.Parent)
		}
		f(j)
	}
	o.eachJoin(up)
}

// EachJoin calls f for every join that n's operands need, parents included and
// first; f may be called more than once for one join.
func EachJoin(n Node, f func(*Join)) {
	switch n := n.(type) {
	case And:
		for _, p := range n {
			EachJoin(p, f)
		}
	case Or:
		for _, p := range n {
			EachJoin(p, f)
		}
	case *Exists:
		EachJoin(n.Cond, f)
	case *Compare:
		n.Left.EachJoin(f)
		n.Right.EachJoin(f)
	}
}
