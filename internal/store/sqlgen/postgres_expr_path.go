package sqlgen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/rule"
)

// arrow is data ->> '$.a', or data ->> 'a' for one key.
func (x indexer) arrow(b indexdef.Binary) (*term, error) {
	l, ok := b.Right.(indexdef.Literal)
	if b.Op == "->" || !ok || l.Kind == indexdef.Null {
		return nil, fmt.Errorf("%s cannot be carried over to PostgreSQL: write json_extract with the whole path", b)
	}
	path := l.Text
	switch {
	case l.Kind == indexdef.Number:
		path = "$[" + path + "]"
	case !strings.HasPrefix(path, "$"):
		if strings.ContainsAny(path, ".[]") {
			return nil, fmt.Errorf("%s: a key with a sign in it cannot be carried over to PostgreSQL", b)
		}
		path = "$." + path
	}
	return x.path(b.Left, path)
}

// path is a value inside a JSON field.
func (x indexer) path(of indexdef.Expr, path string) (*term, error) {
	name, ok := of.(indexdef.Name)
	var f *pando.Field
	if ok {
		f = x.field(string(name))
	}
	if f == nil || f.Type != pando.FieldJSON && f.Type != pando.FieldGeoPoint {
		return nil, fmt.Errorf("%s is no json field of %s", of, x.c.Name)
	}
	if !isPath(path) {
		return nil, fmt.Errorf("the path %s cannot be carried over to PostgreSQL: only keys of letters, digits and _, and places in lists can", path)
	}
	t := &term{o: &rule.Operand{Kind: rule.OperandPath, Field: f, Path: path}, nullable: true}
	x.d.path(t, x.d.quote(f.Name), extract)
	return t, nil
}

// isPath tells whether a path is one that a rule can have.
func isPath(path string) bool {
	if !strings.HasPrefix(path, "$") {
		return false
	}
	for rest := path[1:]; rest != ""; {
		n := 1
		for n < len(rest) && rest[n] != '.' && rest[n] != '[' && rest[n] != ']' {
			n++
		}
		step := rest[1:n]
		_, err := strconv.ParseUint(step, 10, 31)
		switch {
		case rest[0] == '[' && n < len(rest) && rest[n] == ']' && err == nil:
			n++
		case rest[0] != '.' || err == nil || !isWord(step):
			return false
		}
		rest = rest[n:]
	}
	return true
}

func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; s[i] != '_' && (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != ""
}
