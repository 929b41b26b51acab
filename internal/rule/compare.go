package rule

// truth is what SQL knows: a comparison with null neither holds nor fails.
type truth uint8

const (
	unknown truth = iota
	holds
	fails
)

func truthOf(b bool) truth {
	if b {
		return holds
	}
	return fails
}

// arg is the value of an operand.
type arg struct {
	v       Value
	missing bool
}

// Missing equality is spelled out as SQL in internal/store/sqlgen; the two must
// agree, and FuzzAgree sees to it.
func (c *Compare) test(l, r arg) truth {
	switch c.Op {
	case Equal, NotEqual:
		t := c.equal(l, r)
		if c.Op == Equal || t == unknown {
			return t
		}
		return truthOf(t == fails)
	case Like, NotLike:
		t := c.like(l, r)
		if c.Op == Like || t == unknown {
			return t
		}
		return truthOf(t == fails)
	}
	if l.v.IsNull() || r.v.IsNull() {
		return unknown
	}
	n := compare(convert(l.v, c.Left.Affinity, r.v, c.Right.Affinity))
	switch c.Op {
	case Less:
		return truthOf(n < 0)
	case LessEqual:
		return truthOf(n <= 0)
	case Greater:
		return truthOf(n > 0)
	}
	return truthOf(n >= 0)
}

// equal is the language's equality, in which null and "" are the same, except
// for JSON paths and distances.
func (c *Compare) equal(l, r arg) truth {
	lo, ro := c.Left, c.Right
	switch {
	case lo.Exact || ro.Exact:
		return truthOf(same(l.v, lo.Affinity, r.v, ro.Affinity))
	case lo.Literal && (l.missing || l.v.empty()):
		return truthOf(r.missing || r.v.empty())
	case ro.Literal && (r.missing || r.v.empty()):
		return truthOf(l.missing || l.v.empty())
	case lo.Literal || ro.Literal:
		if c.Op == NotEqual {
			return truthOf(same(l.v, lo.Affinity, r.v, ro.Affinity))
		}
		if l.v.IsNull() || r.v.IsNull() {
			return unknown
		}
		return truthOf(same(l.v, lo.Affinity, r.v, ro.Affinity))
	}
	// Two columns: merging null with "" takes the affinities away.
	return truthOf(same(orEmpty(l.v), AffinityNone, orEmpty(r.v), AffinityNone))
}

func orEmpty(v Value) Value {
	if v.IsNull() {
		return Text("")
	}
	return v
}

// same is SQL's IS.
func same(a Value, aff Affinity, b Value, bff Affinity) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	return compare(convert(a, aff, b, bff)) == 0
}

func (c *Compare) like(l, r arg) truth {
	if l.v.IsNull() || r.v.IsNull() {
		return unknown
	}
	return truthOf(like(l.v.String(), c.Right.Pattern(r.v)))
}

// Pattern is the LIKE pattern of v as the right side of ~: literals may bring
// wildcards of their own, other values are looked for anywhere as they are.
func (o *Operand) Pattern(v Value) string {
	if o.pattern != "" {
		return o.pattern
	}
	if o.Literal && v.kind != kindInt {
		return pattern(v)
	}
	return "%" + v.String() + "%"
}
