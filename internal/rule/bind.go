package rule

import (
	"time"

	"github.com/pandobase/pando"
)

// Bound is a rule with the values of one request put in: what only read the
// request is decided, so that Cond is about rows alone. It is Const if the
// request decides all.
type Bound struct {
	Cond Node
	// Key is what a sort key sorts by; Guard must hold for the rows that it
	// takes the value of. Both are nil for rules.
	Key   *Operand
	Guard Node

	own *pando.Collection
	req *pando.Request
	now time.Time
}

// Collection is the collection that the rule was checked for.
func (b *Bound) Collection() *pando.Collection { return b.own }

// Now is what @now means.
func (b *Bound) Now() time.Time { return b.now }

// Bind puts a request's values into the rule. now is what @now means.
func (r *Rule) Bind(req *pando.Request, now time.Time) *Bound {
	p := r.planFor(req)
	b := &Bound{own: r.own, req: req, now: now}
	b.Cond = b.bind(p.cond)
	if p.key != nil {
		b.Key = b.operand(p.key)
		b.Guard = b.bind(p.guard)
	}
	return b
}

// Values are the ids of a JoinIDs, or the items of a JoinItems.
func (b *Bound) Values(j *Join) []Value { return j.in.list(b.req) }

func (b *Bound) bind(n Node) Node {
	switch n := n.(type) {
	case And:
		out := make(And, 0, len(n))
		for _, p := range n {
			p = b.bind(p)
			if p == Const(false) {
				return p
			}
			out = append(out, p)
		}
		return and(out)
	case Or:
		out := make(Or, 0, len(n))
		for _, p := range n {
			p = b.bind(p)
			if p == Const(true) {
				return p
			}
			out = append(out, p)
		}
		return or(out)
	case *Exists:
		// Values that the request lacks have taken joins away, so the parts
		// may hang together less than before.
		return group(b.bind(n.Cond))
	case *Compare:
		return b.compare(n)
	}
	return n
}

func (b *Bound) compare(n *Compare) Node {
	left, right := b.operand(n.Left), b.operand(n.Right)
	c := &Compare{Op: n.Op, Left: left, Right: right, All: n.All && (left.Multi || right.Multi)}
	if left.Kind == OperandValue && right.Kind == OperandValue {
		return Const(c.test(left.arg(), right.arg()) == holds)
	}
	if c.Op != Equal && c.Op != NotEqual && (left.null() || right.null()) {
		return Const(false) // unknown, whatever the other side is
	}
	return c
}

func (o *Operand) null() bool { return o.Kind == OperandValue && o.Value.IsNull() }

// operand is o with the request's values; o itself if it has none.
func (b *Bound) operand(o *Operand) *Operand {
	switch o.Kind {
	case OperandInput:
		v, missing := o.in.value(b.req)
		return o.value(v, missing)
	case OperandMacro:
		return o.value(o.macro(b.now), false)
	case OperandChanged:
		if _, submitted := o.Args[0].in.body(b.req); !submitted {
			return o.value(Bool(false), false)
		}
	}
	for j := o.Join; j != nil; j = j.Parent {
		if (j.Kind == JoinIDs || j.Kind == JoinItems) && len(b.Values(j)) == 0 {
			return o.value(Null, true) // nothing to join
		}
	}
	if len(o.Args) == 0 {
		return o
	}
	bound, constant := *o, true
	bound.Args = make([]*Operand, len(o.Args))
	for i, a := range o.Args {
		bound.Args[i] = b.operand(a)
		constant = constant && bound.Args[i].Kind == OperandValue
	}
	if o.Kind == OperandStrftime {
		if at := bound.Args[1]; at.Kind == OperandValue && isNow(at.Value) {
			bound.Args[1] = at.value(Text(pando.FormatTime(b.now)), false)
		}
		bound.Multi, bound.Chain = bound.Args[1].Multi, bound.Args[1].Chain
	}
	if constant {
		e := evaluation{now: b.now}
		return o.value(e.call(&bound, nil), false)
	}
	return &bound
}

// value is a constant that compares as o does.
func (o *Operand) value(v Value, missing bool) *Operand {
	return &Operand{
		Value: v, Missing: missing, Exact: o.Exact, Affinity: o.Affinity,
		Literal: o.Literal || missing,
	}
}

func (o *Operand) arg() arg { return arg{o.Value, o.Missing} }
