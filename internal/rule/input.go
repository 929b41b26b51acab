package rule

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/pandobase/pando"
)

// input is one thing that a rule reads of the request.
type input struct {
	source   inputSource
	name     string   // as Rule.Inputs names it
	key      string   // of query, headers, body
	path     []string // into a nested body value
	modifier modifier
	field    *pando.Field // auth: the field of the collection it was resolved for
	index    int          // of field
	jsonPath string       // auth: into a JSON field
}

type inputSource uint8

const (
	fromMethod inputSource = iota
	fromContext
	fromQuery
	fromHeader
	fromBody
	fromAuth // a field of the caller's record
	fromAuthCollectionID
	fromAuthCollectionName
)

// value reads the input. missing tells that the request has no such value.
func (in *input) value(req *pando.Request) (v Value, missing bool) {
	if req == nil {
		return in.absent()
	}
	switch in.source {
	case fromMethod:
		return Text(req.Method), false
	case fromContext:
		return Text(req.Context), false
	case fromQuery:
		return in.lookup(req.Query)
	case fromHeader:
		return in.lookup(req.Header)
	case fromBody:
		x, ok := in.body(req)
		if in.modifier == modIsset {
			return Bool(ok), false
		}
		if in.modifier == modLength {
			return Int(int64(len(items(x)))), false
		}
		if !ok || x == nil {
			return Null, true
		}
		v, missing = bodyValue(x)
		return in.finish(v), missing
	}
	if req.Auth == nil {
		return Null, true
	}
	switch in.source {
	case fromAuthCollectionID:
		return Text(req.Auth.Collection.ID), false
	case fromAuthCollectionName:
		return Text(req.Auth.Collection.Name), false
	}
	x, ok := in.auth(req.Auth)
	switch {
	case !ok:
		return Null, true
	case in.modifier == modLength:
		return Int(int64(len(items(x)))), false
	case in.jsonPath != "":
		return in.finish(jsonExtract(x, in.jsonPath)), false
	}
	return in.finish(columnValue(x)), false
}

func (in *input) absent() (Value, bool) {
	switch in.modifier {
	case modIsset:
		return Bool(false), false
	case modLength:
		return Int(0), false
	}
	return Null, true
}

func (in *input) lookup(get func(string) (string, bool)) (Value, bool) {
	if get == nil {
		return in.absent()
	}
	s, ok := get(in.key)
	if in.modifier == modIsset {
		return Bool(ok), false
	}
	if !ok {
		return Null, true
	}
	return in.finish(Text(s)), false
}

func (in *input) finish(v Value) Value {
	if in.modifier == modLower {
		return lower(v)
	}
	return v
}

// body finds the submitted value.
func (in *input) body(req *pando.Request) (any, bool) {
	if req == nil {
		return nil, false
	}
	x, ok := req.Body[in.key]
	for _, step := range in.path {
		if !ok {
			return nil, false
		}
		x, ok = child(x, step)
	}
	return x, ok
}

// child is one step into a value as JSON decoding or a field's cast makes it.
func child(x any, step string) (any, bool) {
	switch x := x.(type) {
	case map[string]any:
		y, ok := x[step]
		return y, ok
	case []any:
		if i, ok := listIndex(step); ok && i < len(x) {
			return x[i], true
		}
	case []string:
		if i, ok := listIndex(step); ok && i < len(x) {
			return x[i], true
		}
	case pando.GeoPoint:
		switch step {
		case "lon":
			return x.Lon, true
		case "lat":
			return x.Lat, true
		}
	case json.RawMessage:
		var y any
		if json.Unmarshal(x, &y) == nil {
			return child(y, step)
		}
	}
	return nil, false
}

func listIndex(s string) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) || n > 1<<30 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// auth finds a field of the caller's record, which may be of a newer version of
// the collection than the rule was checked with.
func (in *input) auth(rec *pando.Record) (any, bool) {
	c := rec.Collection
	if in.index < len(c.Fields) && c.Fields[in.index].Name == in.key {
		return rec.Values[in.index], true
	}
	if i := c.FieldIndex(in.key); i >= 0 {
		return rec.Values[i], true
	}
	return nil, false
}

// list is the input as a list of texts: ids, or items.
func (in *input) list(req *pando.Request) []Value {
	if req == nil {
		return nil
	}
	var x any
	switch {
	case in.source == fromBody:
		x, _ = in.body(req)
	case req.Auth != nil:
		x, _ = in.auth(req.Auth)
	}
	return items(x)
}

// items is a value as a list; empty values are no items of it.
func items(x any) []Value {
	switch x := x.(type) {
	case nil:
		return nil
	case []string:
		out := make([]Value, len(x))
		for i, s := range x {
			out[i] = Text(s)
		}
		return out
	case []any:
		out := make([]Value, len(x))
		for i, y := range x {
			out[i], _ = bodyValue(y)
		}
		return out
	case json.RawMessage:
		var y any
		if json.Unmarshal(x, &y) != nil {
			return nil
		}
		return items(y)
	case string:
		if x == "" {
			return nil
		}
		return []Value{Text(x)}
	}
	v, _ := bodyValue(x)
	return []Value{v}
}

// bodyValue is a submitted value: what JSON decoding makes, or a field's cast.
func bodyValue(x any) (v Value, missing bool) {
	switch x := x.(type) {
	case nil:
		return Null, true
	case string:
		return Text(x), false
	case bool:
		return Bool(x), false
	case float64:
		return Real(x), math.IsNaN(x)
	case int:
		return Int(int64(x)), false
	case int64:
		return Int(x), false
	case json.Number:
		f, err := x.Float64()
		if err != nil {
			return Text(x.String()), false
		}
		return Real(f), false
	case json.RawMessage:
		v := jsonExtract(x, "$")
		if v.kind == kindInt {
			v = Real(float64(v.n))
		}
		return v, v.IsNull()
	}
	return Text(jsonText(x)), false
}

// columnValue is a record's value as its column holds it.
func columnValue(x any) Value {
	switch x := x.(type) {
	case string:
		return Text(x)
	case float64:
		return Number(x)
	case bool:
		return Bool(x)
	case json.RawMessage:
		return Text(string(x))
	case []string:
		return Text(ListText(x))
	case pando.GeoPoint:
		return Text(PointText(x))
	}
	return Null
}

// PointText is a geo point as its column holds it.
func PointText(g pando.GeoPoint) string {
	b := append(make([]byte, 0, 48), `{"lon":`...)
	b = strconv.AppendFloat(b, g.Lon, 'f', -1, 64)
	b = append(b, `,"lat":`...)
	b = strconv.AppendFloat(b, g.Lat, 'f', -1, 64)
	return string(append(b, '}'))
}

// ListText is a list value as its column holds it: a compact JSON array.
func ListText(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	b := append(make([]byte, 0, 20*len(list)+2), '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if plainJSON(s) {
			b = append(append(append(b, '"'), s...), '"')
			continue
		}
		b = append(b, jsonText(s)...)
	}
	return string(append(b, ']'))
}

// plainJSON tells whether s stands in JSON as it is.
func plainJSON(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}

func jsonText(x any) string {
	b, err := json.Marshal(x)
	if err != nil { // what came out of JSON goes back into it
		return ""
	}
	return string(b)
}

// appendKey appends the input's value so that no two different ones look alike.
// It is the whole value: another part of the rule may look at the same input
// through another modifier or path, and inputs of one name are noted once.
func (in *input) appendKey(to []byte, req *pando.Request) []byte {
	whole := *in
	whole.path, whole.jsonPath = nil, ""
	if whole.source == fromBody {
		_, there := whole.body(req)
		to = Bool(there).appendKey(to)
	}
	if whole.source == fromBody || whole.modifier != modIsset {
		whole.modifier = modNone
	}
	v, missing := whole.value(req)
	if missing {
		return append(to, '-')
	}
	return v.appendKey(to)
}

func (v Value) appendKey(to []byte) []byte {
	switch v.kind {
	case kindInt:
		to = strconv.AppendInt(append(to, 'n'), v.n, 10)
		return append(to, ';')
	case kindReal:
		to = strconv.AppendFloat(append(to, 'r'), v.f, 'g', -1, 64)
		return append(to, ';')
	case kindText:
		to = strconv.AppendInt(append(to, 't'), int64(len(v.s)), 10)
		return append(append(to, ':'), v.s...)
	}
	return append(to, '0')
}
