package rule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ganigeorgiev/fexpr"

	"github.com/pandobase/pando"
)

// maxRelations bounds the joins of one path.
const maxRelations = 6

// resolver turns the names of one rule into operands. Paths that begin alike
// share their joins.
type resolver struct {
	schema Schema
	auth   *pando.Collection // the caller's collection, nil for a guest
	plan   *plan

	// The names of a list rule that a client's path brings along are looked up
	// from the row that the path has come to.
	base   *Join
	own    *pando.Collection
	client bool

	authPaths bool    // the outcome depends on auth
	guards    []Node  // list rules to hold besides
	guarded   []*Join // that they are of
}

// modifier is what may stand behind a name, after a colon.
type modifier uint8

const (
	modNone modifier = iota
	modIsset
	modChanged
	modLength
	modEach
	modLower
)

var modifiers = map[string]modifier{
	"isset": modIsset, "changed": modChanged, "length": modLength, "each": modEach, "lower": modLower,
}

// condition resolves a whole parsed rule.
func (r *resolver) condition(e expr) (Node, error) {
	switch e := e.(type) {
	case list:
		var either Or
		for _, parts := range e {
			var all And
			for _, part := range parts {
				n, err := r.condition(part)
				if err != nil {
					return nil, err
				}
				all = append(all, n)
			}
			either = append(either, and(all))
		}
		return or(either), nil
	case *comparison:
		return r.compare(e)
	}
	return nil, fmt.Errorf("unexpected expression %T", e)
}

func (r *resolver) compare(e *comparison) (Node, error) {
	left, err := r.operand(e.left)
	if err != nil {
		return nil, fmt.Errorf("invalid left operand %q - %w", e.left.Literal, err)
	}
	right, err := r.operand(e.right)
	if err != nil {
		return nil, fmt.Errorf("invalid right operand %q - %w", e.right.Literal, err)
	}
	if op := ops[e.op]; right.Kind == OperandValue && (op == Like || op == NotLike) {
		right.pattern = right.Pattern(right.Value)
	}
	c := &Compare{Op: ops[e.op], Left: left, Right: right, All: !e.any && (left.Multi || right.Multi)}
	n := And{c}
	for _, o := range []*Operand{left, right} {
		if o.visible != nil { // an e-mail that a client asks about
			n = append(n, &Compare{Op: Equal, Left: o.visible, Right: &Operand{Value: Bool(true), Literal: true}})
		}
	}
	return and(n), nil
}

func (r *resolver) operand(t fexpr.Token) (*Operand, error) {
	switch t.Type {
	case fexpr.TokenText:
		return &Operand{Value: Text(t.Literal), Literal: true}, nil
	case fexpr.TokenNumber:
		f, err := strconv.ParseFloat(t.Literal, 64)
		if err != nil {
			return nil, errors.New("not a number")
		}
		return &Operand{Value: Real(f), Literal: true}, nil
	case fexpr.TokenFunction:
		return r.function(t)
	}
	return r.identifier(t.Literal)
}

func (r *resolver) identifier(name string) (*Operand, error) {
	if m, ok := macros[name]; ok {
		r.plan.volatile = true
		return &Operand{Kind: OperandMacro, macro: m, Literal: true}, nil
	}
	if rest, ok := strings.CutPrefix(name, "@request."); ok {
		return r.request(name, rest)
	}
	if rest, ok := strings.CutPrefix(name, "@collection."); ok {
		return r.collection(name, rest)
	}
	if strings.HasPrefix(name, "@") {
		return nil, unresolved(name)
	}
	if r.own.Field(name) == nil {
		switch strings.ToLower(name) {
		case "true":
			return &Operand{Value: Bool(true), Literal: true}, nil
		case "false":
			return &Operand{Value: Bool(false), Literal: true}, nil
		case "null":
			return &Operand{Missing: true, Literal: true}, nil
		}
	}
	path, mod, err := split(name)
	if err != nil {
		return nil, err
	}
	r.plan.remote = r.plan.remote || r.own.IsView()
	return r.walk(r.base, r.own, path, mod)
}

func unresolved(name string) error { return fmt.Errorf("failed to resolve field %q", name) }

func unknownField(name string) error { return fmt.Errorf("unknown field %q", name) }

// split takes a dotted name apart; a modifier may stand behind its last part.
func split(name string) ([]string, modifier, error) {
	name, text, found := strings.Cut(name, ":")
	mod := modNone
	if found {
		var ok bool
		if mod, ok = modifiers[text]; !ok {
			return nil, 0, fmt.Errorf("unknown modifier %q", text)
		}
	}
	path := strings.Split(name, ".")
	for _, part := range path {
		if part == "" {
			return nil, 0, errors.New("empty name between dots")
		}
	}
	return path, mod, nil
}

// walk follows a path from row at, a record of c.
func (r *resolver) walk(at *Join, c *pando.Collection, path []string, mod modifier) (*Operand, error) {
	for i, name := range path {
		rest := path[i+1:]
		f := c.Field(name)
		if f != nil && r.client && (f.Hidden || f.Type == pando.FieldPassword) {
			return nil, unknownField(name) // no word on whether it is there
		}
		switch {
		case f == nil && len(rest) > 0 && strings.Contains(name, "_via_"):
			var err error
			if at, c, err = r.back(at, c, name); err != nil {
				return nil, err
			}
		case f == nil:
			return nil, unknownField(name)
		case len(rest) == 0:
			return r.field(at, c, f, mod), nil
		case f.Type == pando.FieldJSON || f.Type == pando.FieldGeoPoint:
			return r.document(at, c, f, rest, mod)
		case f.Type == pando.FieldRelation:
			if !f.Multiple() && len(rest) == 1 && rest[0] == "id" && mod == modNone {
				return r.field(at, c, f, mod), nil // the id is here already
			}
			var err error
			if at, c, err = r.relation(at, c, f); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("field %q is not a relation, so %q cannot follow it", name, rest[0])
		}
	}
	return nil, unknownField("")
}

// field is the operand of a whole field.
func (r *resolver) field(at *Join, c *pando.Collection, f *pando.Field, mod modifier) *Operand {
	o := &Operand{Kind: OperandField, Join: at, Field: f, index: c.FieldIndex(f.Name), Affinity: AffinityOf(f), Lower: mod == modLower}
	switch listable := holdsList(f); {
	case f.Type == pando.FieldJSON:
		o.Kind, o.Path, o.Exact = OperandPath, "$", true
	case mod == modLength && listable:
		o.Kind = OperandLength
	case mod == modEach && listable && f.Multiple():
		o.Kind = OperandItem
		o.Join = r.join(at, ":each "+f.Name, Join{Kind: JoinEach, Field: f, index: o.index, Many: true, Multi: true})
	}
	if o.Kind != OperandField || mod == modLower || mod == modEach && holdsList(f) {
		o.Affinity = AffinityNone
	}
	if v := c.Field("emailVisibility"); r.client && c.IsAuth() && f.Name == "email" && v != nil {
		o.visible = r.field(at, c, v, modNone)
	}
	r.multi(o)
	return o
}

// holdsList tells whether f can hold a list; whether it does is f.Multiple.
func holdsList(f *pando.Field) bool {
	return f.Type == pando.FieldSelect || f.Type == pando.FieldFile || f.Type == pando.FieldRelation
}

// document is the operand of a path inside a JSON field.
func (r *resolver) document(at *Join, c *pando.Collection, f *pando.Field, path []string, mod modifier) (*Operand, error) {
	p, err := jsonPath(path)
	if err != nil {
		return nil, err
	}
	if mod != modNone && mod != modLower {
		return &Operand{Missing: true, Literal: true, Exact: true}, nil // the peer looks for a key of that name
	}
	o := &Operand{Kind: OperandPath, Join: at, Field: f, index: c.FieldIndex(f.Name), Path: p, Exact: true, Lower: mod == modLower}
	r.multi(o)
	return o, nil
}

// jsonPath writes names and numbers as an SQL JSON path.
func jsonPath(path []string) (string, error) {
	b := []byte("$")
	for _, part := range path {
		if n, ok := listIndex(part); ok {
			if len(part) > 9 {
				return "", fmt.Errorf("index %s is too large", part)
			}
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(n), 10)
			b = append(b, ']')
			continue
		}
		for i := 0; i < len(part); i++ {
			if c := fold(part[i]); c != '_' && !isDigit(c) && (c < 'a' || c > 'z') {
				return "", fmt.Errorf("%q cannot be part of a JSON path", part)
			}
		}
		b = append(append(b, '.'), part...)
	}
	return string(b), nil
}

// multi notes the joins that a plain operator has to walk anew.
func (r *resolver) multi(o *Operand) {
	for j := o.Join; j != r.base && j != nil; j = j.Parent {
		o.Multi = o.Multi || j.Multi
		o.Chain = append(o.Chain, j)
	}
	if !o.Multi {
		o.Chain = nil
		return
	}
	for i, k := 0, len(o.Chain)-1; i < k; i, k = i+1, k-1 {
		o.Chain[i], o.Chain[k] = o.Chain[k], o.Chain[i]
	}
}

// AffinityOf is what the column of f does to the other side of a comparison.
func AffinityOf(f *pando.Field) Affinity {
	switch f.Type {
	case pando.FieldNumber, pando.FieldBool, pando.FieldJSON, pando.FieldGeoPoint:
		return AffinityNumeric
	}
	if f.Multiple() {
		return AffinityNumeric
	}
	return AffinityText
}
