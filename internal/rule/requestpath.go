package rule

import (
	"fmt"
	"strings"

	"github.com/pandobase/pando"
)

// request resolves what follows "@request.".
func (r *resolver) request(name, rest string) (*Operand, error) {
	switch rest {
	case "method":
		return r.input(input{source: fromMethod, name: rest}), nil
	case "context":
		return r.input(input{source: fromContext, name: rest}), nil
	}
	part, rest, _ := strings.Cut(rest, ".")
	if rest == "" {
		return nil, unresolved(name)
	}
	path, mod, err := split(rest)
	if err != nil {
		return nil, err
	}
	switch part {
	case "query":
		return r.lookup(name, part, fromQuery, path, mod)
	case "headers":
		return r.lookup(name, part, fromHeader, path, mod)
	case "body":
		return r.body(name, path, mod)
	case "auth":
		return r.authPath(path, mod), nil
	}
	return nil, unresolved(name)
}

// input makes an operand of something that the request holds.
func (r *resolver) input(in input) *Operand {
	in.name += in.modifier.suffix()
	r.plan.note(&in)
	return &Operand{Kind: OperandInput, in: &in, Literal: true}
}

// suffix names a modifier that changes what is read, not just how it is shown.
func (m modifier) suffix() string {
	if m == modIsset {
		return ":isset"
	}
	return ""
}

// missing is the operand of what a request cannot hold.
func missing() *Operand { return &Operand{Missing: true, Literal: true} }

func (r *resolver) lookup(name, part string, from inputSource, path []string, mod modifier) (*Operand, error) {
	if mod != modNone && mod != modIsset && mod != modLower {
		return nil, unresolved(name)
	}
	if len(path) > 1 { // a text has no parts
		if mod == modIsset {
			return &Operand{Value: Bool(false), Literal: true}, nil
		}
		return missing(), nil
	}
	return r.input(input{source: from, name: part + "." + path[0], key: path[0], modifier: mod}), nil
}

// body resolves what follows "@request.body.".
func (r *resolver) body(name string, path []string, mod modifier) (*Operand, error) {
	in := input{source: fromBody, name: "body." + path[0], key: path[0], path: path[1:], modifier: mod}
	f := r.own.Field(path[0])
	last := path[len(path)-1]
	if mod == modChanged || mod == modLength || mod == modEach {
		if len(path) > 1 || f == nil {
			return nil, fmt.Errorf("invalid modifier sequence %s:%s", last, mod)
		}
	}
	switch mod {
	case modChanged:
		return r.changed(f), nil
	case modLength, modEach:
		if !holdsList(f) {
			return nil, fmt.Errorf("field %q doesn't support multivalue operations", f.Name)
		}
		if mod == modLength {
			return r.input(in), nil
		}
		return r.items(in, f), nil
	case modIsset:
		return r.input(in), nil
	}
	if len(path) > 1 && f != nil && f.Type == pando.FieldRelation {
		in.path = nil
		return r.through(in, f, path[1:], mod), nil
	}
	return r.input(in), nil
}

func (m modifier) String() string {
	for name, n := range modifiers {
		if n == m {
			return name
		}
	}
	return ""
}

// changed is whether a field was submitted with another value than the stored
// one.
func (r *resolver) changed(f *pando.Field) *Operand {
	own := r.field(r.base, r.own, f, modNone)
	body := r.input(input{source: fromBody, name: "body." + f.Name, key: f.Name})
	r.plan.note(&input{source: fromBody, name: "body." + f.Name + ":isset", key: f.Name, modifier: modIsset})
	return &Operand{Kind: OperandChanged, Args: []*Operand{body, own}, Literal: true}
}

// items is each item of a list of the request.
func (r *resolver) items(in input, f *pando.Field) *Operand {
	in.modifier = modNone
	r.plan.note(&in)
	// The one value of a single field is a list too: of one item, or of none.
	j := r.join(nil, "@items."+in.name, Join{Kind: JoinItems, in: &in, Many: true, Multi: f.Multiple()})
	o := &Operand{Kind: OperandItem, Join: j}
	r.multi(o)
	return o
}

// through goes on to the records that a relation value of the request names.
// Names behind it are not checked: what the request holds is known only then.
func (r *resolver) through(in input, f *pando.Field, path []string, mod modifier) *Operand {
	o, ok := f.Options.(*pando.RelationOptions)
	if !ok {
		return missing()
	}
	target := r.schema.Collection(o.CollectionID)
	if target == nil {
		return missing()
	}
	many := f.Multiple()
	return r.attempt(func() (*Operand, error) {
		j := r.join(nil, "@ids."+in.name, Join{
			Kind: JoinIDs, in: &in, Collection: target, Many: many, Multi: many, depth: 1,
		})
		r.plan.note(&in)
		r.plan.read(target)
		return r.walk(j, target, path, mod)
	})
}

// attempt gives what f finds; where it finds nothing, what it has noted on the
// way is forgotten.
func (r *resolver) attempt(f func() (*Operand, error)) *Operand {
	joins, inputs, reads := len(r.plan.joins), len(r.plan.inputs), len(r.plan.reads)
	guards, guarded := len(r.guards), len(r.guarded)
	o, err := f()
	if err != nil {
		r.plan.joins, r.plan.inputs, r.plan.reads = r.plan.joins[:joins], r.plan.inputs[:inputs], r.plan.reads[:reads]
		r.guards, r.guarded = r.guards[:guards], r.guarded[:guarded]
		return missing()
	}
	return o
}

// authPath resolves what follows "@request.auth.". Which fields there are hangs
// on who asks, so a rule with such a path is resolved once for each auth
// collection; what a caller does not have is missing, not an error.
func (r *resolver) authPath(path []string, mod modifier) *Operand {
	name := path[0]
	if len(path) == 1 && mod == modNone {
		in := input{source: fromAuth, name: "auth." + name, key: name}
		switch name {
		case "id", "email", "verified", "emailVisibility":
			return r.input(in)
		case "collectionId":
			in.source = fromAuthCollectionID
			return r.input(in)
		case "collectionName":
			in.source = fromAuthCollectionName
			return r.input(in)
		}
	}
	r.authPaths = true
	r.plan.note(&input{source: fromAuthCollectionID, name: "auth.collectionId"})
	if r.auth == nil {
		return missing()
	}
	f := r.auth.Field(name)
	if f == nil {
		if len(path) > 1 && strings.Contains(name, "_via_") {
			return r.authBack(path, mod)
		}
		return missing()
	}
	return r.authField(f, path, mod)
}

func (r *resolver) authField(f *pando.Field, path []string, mod modifier) *Operand {
	in := input{source: fromAuth, name: "auth." + f.Name, key: f.Name, field: f, index: r.auth.FieldIndex(f.Name)}
	rest := path[1:]
	switch {
	case f.Type == pando.FieldJSON, f.Type == pando.FieldGeoPoint && len(rest) > 0:
		p, err := jsonPath(rest)
		if err != nil {
			return missing()
		}
		in.jsonPath = p
	case f.Type == pando.FieldRelation && len(rest) > 0:
		if f.Multiple() || len(rest) > 1 || rest[0] != "id" || mod != modNone {
			return r.through(in, f, rest, mod)
		}
	case len(rest) > 0:
		return missing()
	}
	switch listable := holdsList(f); {
	case mod == modLower:
		in.modifier = mod
	case mod == modLength && listable:
		in.modifier = mod
	case mod == modEach && listable:
		return r.items(in, f)
	}
	o := r.input(in)
	// It compares as the column that it is, not as a literal.
	o.Literal, o.Exact = false, in.jsonPath != ""
	// A list is left out: its column would turn numbers in texts into numbers,
	// which a bound text cannot, and nobody compares lists by size.
	if in.modifier == modNone && in.jsonPath == "" && !f.Multiple() && f.Type != pando.FieldGeoPoint {
		o.Affinity = AffinityOf(f)
	}
	return o
}

// authBack goes from the caller's record to those that point to it. Of the
// record itself only the id is read.
func (r *resolver) authBack(path []string, mod modifier) *Operand {
	in := input{source: fromAuth, name: "auth.id", key: "id"}
	return r.attempt(func() (*Operand, error) {
		self := r.join(nil, "@auth", Join{Kind: JoinIDs, in: &in, Collection: r.auth})
		r.plan.note(&in)
		return r.walk(self, r.auth, path, mod)
	})
}
