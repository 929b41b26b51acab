package sqlite

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/wire"
	lib "modernc.org/sqlite/lib"
)

// decode makes a record of a row whose columns are the plan's fields in order.
// Values that do not fit their field (written by another program, or computed by
// a view) become the nearest thing that does.
func (p *plan) decode(q *stmt) *pando.Record {
	values := make([]any, len(p.forms))
	// All texts of a row go into one string: one allocation instead of one each.
	texts, ends := q.c.texts[:0], q.c.ends[:0]
	for i, f := range p.forms {
		if f == formText {
			texts = append(texts, q.raw(i)...)
			ends = append(ends, len(texts))
		}
	}
	q.c.texts, q.c.ends = texts, ends
	all, start := string(texts), 0
	for i, f := range p.forms {
		switch f {
		case formText:
			values[i] = all[start:ends[0]]
			start, ends = ends[0], ends[1:]
		case formNumber:
			values[i] = number(q, i)
		case formBool:
			values[i] = q.float(i) != 0
		case formList:
			values[i] = decodeStrings(q.raw(i))
		case formJSON:
			values[i] = decodeJSON(q, i)
		case formPoint:
			values[i] = rule.ParsePoint(q.raw(i))
		}
	}
	return &pando.Record{Collection: p.c, Values: values}
}

// decodeID makes a record that has only its id, column 0 of the row.
func (p *plan) decodeID(q *stmt) *pando.Record {
	r := pando.NewRecord(p.c)
	if p.id >= 0 {
		r.Values[p.id] = q.text(0)
	}
	return r
}

// number is a column as a number that JSON can hold.
func number(q *stmt, i int) float64 {
	v := q.float(i)
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	return v
}

// decodeStrings reads a list. Most lists are plain ids and names, without a
// backslash; whatever is no array is a list of one.
func decodeStrings(raw []byte) []string {
	if len(raw) == 0 || string(raw) == "[]" || string(raw) == "null" {
		return nil
	}
	if raw[0] != '[' {
		return []string{string(raw)}
	}
	if list, ok := plainStrings(string(raw)); ok {
		return list
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var mixed []any
	if json.Unmarshal(raw, &mixed) != nil {
		return []string{string(raw)}
	}
	for _, v := range mixed {
		if s, ok := v.(string); ok {
			list = append(list, s)
			continue
		}
		text, err := json.Marshal(v)
		if err == nil {
			list = append(list, string(text))
		}
	}
	return list
}

// plainStrings reads ["a","b"] if it has exactly that form, blanks after commas
// allowed.
func plainStrings(s string) ([]string, bool) {
	if len(s) < 2 || s[len(s)-1] != ']' || strings.IndexByte(s, '\\') >= 0 {
		return nil, false
	}
	s = s[1 : len(s)-1]
	list := make([]string, 0, strings.Count(s, ",")+1)
	for {
		if len(s) == 0 || s[0] != '"' {
			return nil, false
		}
		end := strings.IndexByte(s[1:], '"')
		if end < 0 {
			return nil, false
		}
		list = append(list, s[1:1+end])
		s = s[end+2:]
		if s == "" {
			return list, true
		}
		if s[0] != ',' {
			return nil, false
		}
		s = strings.TrimLeft(s[1:], " ")
	}
}

// null is shared: nobody may change a value of a record.
var null = json.RawMessage("null")

// decodeJSON reads a json column. Text that is no JSON, as a view may compute,
// is a JSON string.
func decodeJSON(q *stmt, i int) json.RawMessage {
	switch q.kind(i) {
	case lib.SQLITE_NULL:
		return null
	case lib.SQLITE_FLOAT:
		return wire.AppendNumber(nil, number(q, i))
	}
	raw := q.raw(i)
	if json.Valid(raw) {
		return json.RawMessage(bytes.TrimSpace(append([]byte{}, raw...)))
	}
	text, err := json.Marshal(string(raw))
	if err != nil {
		return null
	}
	return text
}
