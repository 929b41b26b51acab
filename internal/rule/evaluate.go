package rule

import (
	"context"
	"errors"
	"time"

	"github.com/pandobase/pando"
)

// Env is what a rule is evaluated in.
type Env struct {
	Request *pando.Request
	Stored  *pando.Record // what :changed compares with; nil: the record itself
	Now     time.Time     // what @now means
	Source  Source        // may be nil for local rules
}

// Source finds the records that a rule reads beside the one it is asked about.
// Only rules that are not [Rule.Local] need it.
type Source interface {
	// All yields every record of a collection in insertion order.
	All(ctx context.Context, c *pando.Collection) ([]*pando.Record, error)
}

// Match evaluates the rule in memory for one record.
func (r *Rule) Match(ctx context.Context, env Env, rec *pando.Record) (bool, error) {
	p := r.planFor(env.Request)
	e := evaluation{ctx: ctx, req: env.Request, stored: env.Stored, now: env.Now, source: env.Source, rec: rec}
	if e.stored == nil {
		e.stored = rec
	}
	if len(p.joins) > 0 {
		e.rows = make([]row, len(p.joins))
	}
	ok := e.holds(p.cond)
	return ok && e.err == nil, e.err
}

// row is what a join stands at: a record, an item, or nothing.
type row struct {
	rec  *pando.Record
	item Value
}

// evaluation is one run of a rule over one record.
type evaluation struct {
	ctx    context.Context
	req    *pando.Request
	stored *pando.Record
	now    time.Time
	source Source
	rec    *pando.Record
	rows   []row // by Join.Index, for the joins of the Exists that it is in
	tables map[*pando.Collection]*table
	err    error
}

// table is a collection as read from the Source, once for each evaluation.
type table struct {
	all  []*pando.Record
	byID map[string]*pando.Record
}

func (e *evaluation) holds(n Node) bool {
	switch n := n.(type) {
	case Const:
		return bool(n)
	case And:
		for _, p := range n {
			if !e.holds(p) {
				return false
			}
		}
		return true
	case Or:
		for _, p := range n {
			if e.holds(p) {
				return true
			}
		}
		return false
	case *Exists:
		return e.each(n.Joins, e.rows, func() bool { return e.holds(n.Cond) })
	case *Compare:
		return e.compare(n)
	}
	return false
}

// each tries the combinations of rows of the joins until f returns true.
func (e *evaluation) each(joins []*Join, rows []row, f func() bool) bool {
	if len(joins) == 0 {
		return f()
	}
	j := joins[0]
	found := false
	stop := e.rowsOf(j, rows, func(r row) bool {
		found = true
		rows[j.Index] = r
		return e.each(joins[1:], rows, f)
	})
	if stop || found || e.err != nil {
		return stop
	}
	rows[j.Index] = row{}
	return e.each(joins[1:], rows, f)
}

func (e *evaluation) compare(c *Compare) bool {
	if c.test(e.arg(c.Left, e.rows), e.arg(c.Right, e.rows)) != holds {
		return false
	}
	if !c.All {
		return true
	}
	// Both sides walk their paths anew, each for itself: every pair counts.
	left, right := e.rows, e.rows
	if c.Left.Multi {
		left = append([]row(nil), e.rows...)
	}
	if c.Right.Multi {
		right = append([]row(nil), e.rows...)
	}
	return !e.each(c.Left.Chain, left, func() bool {
		l := e.arg(c.Left, left)
		return e.each(c.Right.Chain, right, func() bool {
			return c.test(l, e.arg(c.Right, right)) == fails
		})
	})
}

// arg is the operand's value with the joins standing at rows.
func (e *evaluation) arg(o *Operand, rows []row) arg {
	switch o.Kind {
	case OperandValue:
		return arg{o.Value, o.Missing}
	case OperandInput:
		v, missing := o.in.value(e.req)
		return arg{v, missing}
	case OperandMacro:
		return arg{v: o.macro(e.now)}
	}
	v := e.value(o, rows)
	if o.Lower {
		v = lower(v)
	}
	return arg{v: v}
}

func (e *evaluation) value(o *Operand, rows []row) Value {
	switch o.Kind {
	case OperandItem:
		return rows[o.Join.Index].item
	case OperandChanged, OperandDistance, OperandStrftime:
		return e.call(o, rows)
	}
	rec := e.record(o.Join, rows)
	if rec == nil {
		return e.noRecord(o)
	}
	x := fieldOf(rec, o.Field, o.index)
	switch o.Kind {
	case OperandPath:
		return jsonExtract(x, o.Path)
	case OperandLength:
		return Int(int64(len(items(x))))
	}
	return columnValue(x)
}

// noRecord is what a column of a row of nulls gives.
func (e *evaluation) noRecord(o *Operand) Value {
	if o.Kind == OperandLength {
		return Int(0)
	}
	return Null
}

// record is the row that a join stands at; nil for a row of nulls. Joins that
// follow from the record are looked up as they are needed.
func (e *evaluation) record(j *Join, rows []row) *pando.Record {
	if j == nil {
		return e.rec
	}
	if j.root() != nil {
		return rows[j.Index].rec
	}
	var rec *pando.Record
	e.rowsOf(j, rows, func(r row) bool {
		rec = r.rec
		return true
	})
	return rec
}

// fieldOf is a value of rec, which may be of a newer version of its collection
// than the rule was checked with.
func fieldOf(rec *pando.Record, f *pando.Field, index int) any {
	if fields := rec.Collection.Fields; index < len(fields) && fields[index].Name == f.Name {
		return rec.Values[index]
	}
	return rec.Get(f.Name)
}

// rowsOf calls f for each row of j until f returns true.
func (e *evaluation) rowsOf(j *Join, rows []row, f func(row) bool) bool {
	switch j.Kind {
	case JoinItems:
		for _, v := range j.in.list(e.req) {
			if f(row{item: v}) {
				return true
			}
		}
	case JoinEach:
		if rec := e.record(j.Parent, rows); rec != nil {
			return eachItem(fieldOf(rec, j.Field, j.index), f)
		}
	case JoinRelation:
		if rec := e.record(j.Parent, rows); rec != nil {
			return eachItem(fieldOf(rec, j.Field, j.index), func(r row) bool { return f(e.byID(j, r.item)) })
		}
	case JoinIDs:
		for _, v := range j.in.list(e.req) {
			if r := e.byID(j, v); r.rec != nil && f(r) {
				return true
			}
		}
	case JoinCollection:
		for _, rec := range e.table(j.Collection).all {
			if f(row{rec: rec}) {
				return true
			}
		}
	case JoinBack:
		return e.pointing(j, rows, f)
	}
	return false
}

// eachItem calls f for the items of a list, or for the one value of a single
// field.
func eachItem(x any, f func(row) bool) bool {
	switch x := x.(type) {
	case string:
		return f(row{item: Text(x)})
	case []string:
		for _, s := range x {
			if f(row{item: Text(s)}) {
				return true
			}
		}
	}
	return false
}

// pointing calls f for the records whose relation holds the parent's id.
func (e *evaluation) pointing(j *Join, rows []row, f func(row) bool) bool {
	parent := e.record(j.Parent, rows)
	if parent == nil {
		return false
	}
	id := parent.ID()
	for _, rec := range e.table(j.Collection).all {
		points := false
		eachItem(fieldOf(rec, j.Field, j.index), func(r row) bool {
			points = r.item.s == id
			return points
		})
		if points && f(row{rec: rec}) {
			return true
		}
	}
	return false
}

func (e *evaluation) byID(j *Join, id Value) row {
	return row{rec: e.table(j.Collection).byID[id.s]}
}

var errNoSource = errors.New("rule: the rule reads other records, and there is no source to read them from")

func (e *evaluation) table(c *pando.Collection) *table {
	if t := e.tables[c]; t != nil {
		return t
	}
	t := &table{byID: map[string]*pando.Record{}}
	switch {
	case e.err != nil:
	case e.source == nil:
		e.err = errNoSource
	default:
		t.all, e.err = e.source.All(e.ctx, c)
	}
	for _, rec := range t.all {
		t.byID[rec.ID()] = rec
	}
	if e.tables == nil {
		e.tables = map[*pando.Collection]*table{}
	}
	e.tables[c] = t
	return t
}

// call computes a function of other operands.
func (e *evaluation) call(o *Operand, rows []row) Value {
	switch o.Kind {
	case OperandChanged:
		return Bool(e.changed(o, rows))
	case OperandDistance:
		var v [4]Value
		for i, a := range o.Args {
			v[i] = e.arg(a, rows).v
		}
		return distance(v[0], v[1], v[2], v[3])
	}
	args := make([]Value, len(o.Args))
	for i, a := range o.Args {
		args[i] = e.arg(a, rows).v
	}
	return strftime(args, e.now)
}

// changed tells whether the submitted value differs from the stored one.
func (e *evaluation) changed(o *Operand, rows []row) bool {
	body, own := o.Args[0], o.Args[1]
	if body.Kind == OperandInput {
		if _, submitted := body.in.body(e.req); !submitted {
			return false
		}
	}
	stored := arg{}
	if own.Join == nil && e.stored != nil {
		rec := e.rec
		e.rec = e.stored
		stored = e.arg(own, rows)
		e.rec = rec
	} else {
		stored = e.arg(own, rows)
	}
	c := &Compare{Op: NotEqual, Left: body, Right: own}
	return c.test(e.arg(body, rows), stored) == holds
}
