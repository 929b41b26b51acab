package field

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/spf13/cast"

	"github.com/pandobase/pando"
)

// Op is what a submitted key does to the value of its field.
type Op uint8

const (
	Set          Op = iota // "f": replace
	Append                 // "f+": add at the end; add to a number
	Prepend                // "+f": add at the beginning
	Remove                 // "f-": take out; subtract from a number
	Autogenerate           // "f:autogenerate": generate, behind the submitted prefix
)

// SplitKey finds the field of c that a submitted key means, and what it does to
// it. ok is false if the key means nothing: no such field, or a modifier that
// the field's type does not know. A field's exact name wins over a modifier.
func SplitKey(c *pando.Collection, key string) (f *pando.Field, op Op, ok bool) {
	if f := c.Field(key); f != nil {
		return f, Set, true
	}
	var name string
	switch {
	case strings.HasSuffix(key, "+"):
		name, op = key[:len(key)-1], Append
	case strings.HasSuffix(key, "-"):
		name, op = key[:len(key)-1], Remove
	case strings.HasPrefix(key, "+"):
		name, op = key[1:], Prepend
	case strings.HasSuffix(key, ":autogenerate"):
		name, op = strings.TrimSuffix(key, ":autogenerate"), Autogenerate
	default:
		return nil, Set, false
	}
	if f = c.Field(name); f == nil || !knows(f.Type, op) {
		return nil, Set, false
	}
	return f, op, true
}

func knows(t pando.FieldType, op Op) bool {
	switch t {
	case pando.FieldSelect, pando.FieldFile, pando.FieldRelation:
		return op == Append || op == Prepend || op == Remove
	case pando.FieldNumber:
		return op == Append || op == Remove
	case pando.FieldText:
		return op == Autogenerate
	}
	return false
}

// Modify is the value of f after op with the submitted raw, when it was current
// before. Both current and the result have the Go type of the field; current is
// not changed. An op that the type does not know leaves current as it is.
func Modify(f *pando.Field, current any, op Op, raw any) any {
	if op == Set {
		return Cast(f, raw)
	}
	if n, ok := raw.(json.Number); ok {
		raw, _ = n.Float64()
	}
	switch {
	case !knows(f.Type, op):
		return current
	case op == Autogenerate:
		s, err := Generate(f.Options.(*pando.TextOptions).AutogeneratePattern)
		if err != nil {
			return current
		}
		return toString(raw) + s
	case f.Type == pando.FieldNumber:
		now, _ := current.(float64)
		by := cast.ToFloat64(raw)
		if op == Remove {
			by = -by
		}
		return now + by
	}

	have, given := asList(current), toList(raw)
	var list []string
	switch op {
	case Append:
		list = slices.Concat(have, given)
	case Prepend:
		list = slices.Concat(given, have)
	case Remove:
		list = slices.DeleteFunc(slices.Clone(have), func(s string) bool { return slices.Contains(given, s) })
	}
	return castList(f, list)
}
