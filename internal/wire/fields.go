package wire

import (
	"strconv"
	"strings"

	"github.com/pandobase/pando"
)

// Picker is a parsed `fields` parameter: which parts of a body to keep. It is
// immutable and may be used by many at once.
type Picker struct {
	paths []path
}

// path is a dot path that may begin with a key or be "*", with what is to be
// done to the value it leads to.
type path struct {
	name   string
	modify *excerpt
}

// ParseFields reads a comma list of dot paths with modifiers:
//
//	*,expand.author.name,body:excerpt(200,true)
//
// The Picker is nil, which keeps everything, if the list is empty. The error of
// an unknown modifier or of bad arguments is KindInvalid.
func ParseFields(fields string) (*Picker, error) {
	items, err := splitList(fields)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	p := &Picker{}
	for _, item := range items {
		name, modifier, modified := strings.Cut(item, ":")
		next := path{name: name}
		if modified {
			if next.modify, err = parseModifier(modifier); err != nil {
				return nil, err
			}
		}
		p.set(next)
	}
	return p, nil
}

// set adds a path; of two equal ones the later counts.
func (p *Picker) set(next path) {
	for i := range p.paths {
		if p.paths[i].name == next.name {
			p.paths[i] = next
			return
		}
	}
	p.paths = append(p.paths, next)
}

// splitList splits at the commas that stand outside parentheses. Empty items
// are left out.
func splitList(list string) ([]string, error) {
	var items []string
	depth, start := 0, 0
	add := func(end int) {
		if item := strings.TrimSpace(list[start:end]); item != "" {
			items = append(items, item)
		}
		start = end + 1
	}
	for i := range len(list) {
		switch list[i] {
		case '(':
			depth++
		case ')':
			depth = max(depth-1, 0)
		case ',':
			if depth == 0 {
				add(i)
			}
		}
	}
	if depth > 0 {
		return nil, pando.Invalid("Invalid fields: a parenthesis of %q is not closed.", list)
	}
	add(len(list))
	return items, nil
}

// parseModifier reads `excerpt(max, withEllipsis?)`.
func parseModifier(text string) (*excerpt, error) {
	name, rest, called := strings.Cut(text, "(")
	end := strings.LastIndexByte(rest, ')')
	if name = strings.TrimSpace(name); name != "excerpt" || !called || end < 0 {
		return nil, pando.Invalid("Invalid fields: unknown modifier %q; there is excerpt(max, withEllipsis?).", text)
	}
	args, err := splitList(rest[:end])
	if err != nil {
		return nil, err
	}
	if len(args) == 0 || len(args) > 2 {
		return nil, pando.Invalid("Invalid fields: excerpt takes a length and optionally true, not (%s).", rest[:end])
	}
	length, err := strconv.ParseFloat(args[0], 64)
	if err != nil || !(length >= 1 && length <= 1<<31) { // so that NaN is refused too
		return nil, pando.Invalid("Invalid fields: the length of an excerpt must be a positive number, not %q.", args[0])
	}
	e := &excerpt{max: int(length)}
	if len(args) == 2 {
		e.ellipsis, _ = strconv.ParseBool(args[1]) // anything else means no
	}
	return e, nil
}
