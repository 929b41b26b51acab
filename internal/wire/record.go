package wire

import (
	"encoding/json"
	"sort"

	"github.com/pandobase/pando"
)

// Plan knows how the records of one collection are written: which keys, in
// which order, with which text before each value. It is immutable.
type Plan struct {
	parts []part
	email int // position of emailVisibility in an auth collection, else -1
}

// part is one key of a record's JSON, comma in front.
type part struct {
	name   string
	text   string // `,"name":`, for a constant with its value
	value  int    // position of the field; one of the constants below
	hidden bool
	email  bool // shown only where emails are
	secret bool // a password: the key is shown, the hash never
}

const (
	constant = -1
	expand   = -2
)

// NewPlan makes the plan of c's records.
func NewPlan(c *pando.Collection) *Plan {
	p := &Plan{email: -1}
	add := func(name string, value int) *part {
		text := append(AppendString([]byte{','}, name), ':')
		p.parts = append(p.parts, part{name: name, text: string(text), value: value})
		return &p.parts[len(p.parts)-1]
	}
	for i, f := range c.Fields {
		if c.IsAuth() {
			switch f.Name {
			case "password", "tokenKey":
				continue // never leave the server
			case "emailVisibility":
				p.email = i
			}
		}
		part := add(f.Name, i)
		part.hidden = f.Hidden
		part.email = c.IsAuth() && f.Name == "email"
		part.secret = f.Type == pando.FieldPassword
	}
	id := add("collectionId", constant)
	id.text += string(AppendString(nil, c.ID))
	name := add("collectionName", constant)
	name.text += string(AppendString(nil, c.Name))
	add("expand", expand)
	sort.SliceStable(p.parts, func(i, j int) bool { return p.parts[i].name < p.parts[j].name })
	return p
}

// Show says what of a record its viewer may see beside the plain fields.
type Show struct {
	Hidden bool // hidden fields: superusers
	Email  bool // the email even if the record hides it: superusers, the owner, managers
}

// Node is a record to be written, with what its relations were expanded to.
type Node struct {
	Plan   *Plan
	Record *pando.Record
	Show   Show
	// Expand holds the expanded relations, sorted by key. The key "expand" is
	// written if it is not nil, even if it is empty.
	Expand []Expansion
}

// Expansion is one key of a record's expand.
type Expansion struct {
	Key   string
	Many  bool    // an array; else the one node
	Nodes []*Node // at least one if not Many
}

// Append appends the JSON object of n.
func (n *Node) Append(dst []byte) []byte {
	values := n.Record.Values
	email := n.Show.Email
	if i := n.Plan.email; i >= 0 && !email {
		email, _ = values[i].(bool)
	}
	start := len(dst)
	for i := range n.Plan.parts {
		p := &n.Plan.parts[i]
		if p.hidden && !n.Show.Hidden || p.email && !email {
			continue
		}
		switch {
		case p.value == constant:
			dst = append(dst, p.text...)
		case p.value == expand:
			if n.Expand != nil {
				dst = append(dst, p.text...)
				dst = appendExpand(dst, n.Expand)
			}
		case p.secret:
			dst = append(dst, p.text...)
			dst = append(dst, `""`...)
		default:
			dst = append(dst, p.text...)
			dst = appendValue(dst, values[p.value])
		}
	}
	dst[start] = '{' // in place of the first comma; there always is a first part
	return append(dst, '}')
}

// AppendRecord appends the JSON object of r without expand.
func (p *Plan) AppendRecord(dst []byte, r *pando.Record, show Show) []byte {
	n := Node{Plan: p, Record: r, Show: show}
	return n.Append(dst)
}

func appendExpand(dst []byte, list []Expansion) []byte {
	dst = append(dst, '{')
	for i := range list {
		e := &list[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, e.Key)
		dst = append(dst, ':')
		if !e.Many {
			dst = e.Nodes[0].Append(dst)
			continue
		}
		dst = append(dst, '[')
		for j, n := range e.Nodes {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = n.Append(dst)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendValue appends one of the Go types that a record may hold.
func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return AppendString(dst, v)
	case float64:
		return AppendNumber(dst, v)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case []string:
		return AppendStrings(dst, v)
	case json.RawMessage:
		return AppendRaw(dst, v)
	case pando.GeoPoint:
		dst = AppendNumber(append(dst, `{"lon":`...), v.Lon)
		dst = AppendNumber(append(dst, `,"lat":`...), v.Lat)
		return append(dst, '}')
	}
	return append(dst, "null"...)
}
