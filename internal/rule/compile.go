package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pandobase/pando"
)

// Limits of what a client may send.
const (
	MaxFilterLength = 3500 // bytes
	MaxSortKeys     = 8
	MaxSortLength   = 255 // bytes of one key
)

// Rule is a checked rule or filter: every name in it is known. It is immutable
// and may be used by many at once.
type Rule struct {
	text  string
	own   *pando.Collection
	plan  *plan            // for a guest, and for everybody if no path hangs on who asks
	auths map[string]*plan // by id of the caller's collection

	local    bool
	volatile bool
	inputs   []*input
	reads    []*pando.Collection
}

// plan is a rule resolved for callers of one collection.
type plan struct {
	cond     Node
	joins    []*Join
	inputs   []*input
	reads    []*pando.Collection
	volatile bool
	remote   bool // hangs on something that only the database knows exactly

	key   *Operand // of a sort key
	guard Node     // of a sort key, not grouped
}

func (p *plan) note(in *input) {
	if !slices.ContainsFunc(p.inputs, func(have *input) bool { return have.name == in.name }) {
		p.inputs = append(p.inputs, in)
	}
}

func (p *plan) read(c *pando.Collection) {
	if !slices.Contains(p.reads, c) {
		p.reads = append(p.reads, c)
	}
}

// Compile parses text and checks it against scope. The error is a
// *[pando.Error] of KindInvalid, or of KindForbidden for a client's filter that
// mentions @request or @collection; its Err says what is wrong, for whoever
// wrote the rule.
//
// It takes some microseconds: keep the result for as long as the catalog is the
// same.
func Compile(text string, scope Scope) (*Rule, error) {
	if scope.Client {
		if err := clientText(text); err != nil {
			return nil, err
		}
		if len(text) > MaxFilterLength {
			return nil, invalid(fmt.Errorf("the filter is longer than %d characters", MaxFilterLength))
		}
	}
	e, err := parse(text)
	if err != nil {
		return nil, invalid(err)
	}
	r := &Rule{text: text, own: scope.Collection}
	err = r.resolve(scope, func(res *resolver) (Node, error) { return res.condition(e) })
	if err != nil {
		return nil, invalid(err)
	}
	return r, nil
}

// clientText refuses system names anywhere in a client's text, quoted or not.
func clientText(text string) error {
	for _, name := range []string{"@collection.", "@request."} {
		if strings.Contains(text, name) {
			return &pando.Error{Kind: pando.KindForbidden, Message: "Only superusers can filter by " + name}
		}
	}
	return nil
}

func invalid(err error) *pando.Error {
	return &pando.Error{Kind: pando.KindInvalid, Message: "Invalid rule or filter: " + err.Error() + ".", Err: err}
}

// resolve makes the rule's plans.
func (r *Rule) resolve(scope Scope, build func(*resolver) (Node, error)) error {
	base, hangs, err := newPlan(scope, nil, build)
	if err != nil {
		return err
	}
	r.plan, r.local = base, base.local()
	r.take(base)
	if !hangs {
		return nil
	}
	r.auths = map[string]*plan{}
	for _, c := range scope.Schema.All() {
		if !c.IsAuth() {
			continue
		}
		p, _, err := newPlan(scope, c, build)
		if err != nil {
			return err
		}
		r.auths[c.ID] = p
		r.local = r.local && p.local()
		r.take(p)
	}
	return nil
}

// take adds what a plan reads to what the rule reads.
func (r *Rule) take(p *plan) {
	r.volatile = r.volatile || p.volatile
	for _, in := range p.inputs {
		i, found := slices.BinarySearchFunc(r.inputs, in.name, func(have *input, name string) int {
			return strings.Compare(have.name, name)
		})
		if !found {
			r.inputs = slices.Insert(r.inputs, i, in)
		}
	}
	for _, c := range p.reads {
		if !slices.Contains(r.reads, c) {
			r.reads = append(r.reads, c)
		}
	}
}

func newPlan(scope Scope, auth *pando.Collection, build func(*resolver) (Node, error)) (*plan, bool, error) {
	p := &plan{reads: []*pando.Collection{scope.Collection}}
	res := &resolver{schema: scope.Schema, auth: auth, plan: p, own: scope.Collection, client: scope.Client}
	n, err := build(res)
	if err != nil {
		return nil, false, err
	}
	p.guard = and(res.guards)
	p.cond = group(and(And{n, p.guard}))
	return p, res.authPaths, nil
}

// local tells whether the plan reads nothing but the record and the request.
// A view's columns have the types that its query gives them, which only the
// database knows.
func (p *plan) local() bool {
	if p.remote {
		return false
	}
	for _, j := range p.joins {
		if j.Kind != JoinEach && j.Kind != JoinItems {
			return false
		}
	}
	return true
}

// planFor finds the plan for who asks.
func (r *Rule) planFor(req *pando.Request) *plan {
	if r.auths == nil || req == nil || req.Auth == nil {
		return r.plan
	}
	if p := r.auths[req.Auth.Collection.ID]; p != nil {
		return p
	}
	return r.plan
}

// CompileSort parses and checks a sort list: at most 8 keys of at most 255
// characters, - before a key for descending order. Errors are as for [Compile].
func CompileSort(text string, scope Scope) ([]SortKey, error) {
	if text == "" {
		return nil, nil
	}
	if scope.Client {
		if err := clientText(text); err != nil {
			return nil, err
		}
	}
	parts := strings.Split(text, ",")
	if len(parts) > MaxSortKeys {
		return nil, invalid(fmt.Errorf("more than %d sort keys", MaxSortKeys))
	}
	keys := make([]SortKey, len(parts))
	for i, part := range parts {
		key, err := sortKey(strings.TrimSpace(part), scope)
		if err != nil {
			return nil, invalid(fmt.Errorf("invalid sort key %q - %w", part, err))
		}
		keys[i] = key
	}
	return keys, nil
}

func sortKey(text string, scope Scope) (SortKey, error) {
	if len(text) > MaxSortLength {
		return SortKey{}, fmt.Errorf("it is longer than %d characters", MaxSortLength)
	}
	name, desc := strings.CutPrefix(text, "-")
	if !desc {
		name, _ = strings.CutPrefix(text, "+")
	}
	k := SortKey{Desc: desc}
	switch {
	case name == "@random":
		k.Random = true
		return k, nil
	case name == "@rowid":
		if scope.Collection.IsView() {
			return k, errors.New("a view has no insertion order")
		}
		k.RowID = true
		return k, nil
	case !isName(name):
		return k, unknownField(name)
	}
	r := &Rule{text: text, own: scope.Collection}
	err := r.resolve(scope, func(res *resolver) (Node, error) {
		o, err := res.identifier(name)
		if err == nil && (o.Kind == OperandValue || o.Kind == OperandMacro) {
			err = unknownField(name)
		}
		res.plan.key = o
		return Const(true), err
	})
	k.rule = r
	return k, err
}

// isName tells whether s is what the grammar takes for an identifier.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := fold(s[i])
		if !(c >= 'a' && c <= 'z' || c == '_' || isDigit(c) && i > 0 || (c == '.' || c == ':') && i > 0 && i < len(s)-1 || c == '@' && i == 0) {
			return false
		}
	}
	return s != "" && s != "@" && s != "_"
}
