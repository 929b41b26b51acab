package records

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"sync"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
)

// key is the text that names an answer: everything that the answer depends on
// besides the data. Every part is preceded by its length or has a fixed one, so
// that no two requests that may be answered differently have one key.
type key struct{ b []byte }

var keys = sync.Pool{New: func() any { return &key{make([]byte, 0, 512)} }}

func newKey() *key {
	k := keys.Get().(*key)
	k.b = k.b[:0]
	return k
}

func (k *key) release() {
	if cap(k.b) <= 1<<14 { // long ones are rare, and not worth holding on to
		keys.Put(k)
	}
}

func (k *key) byte(b byte) { k.b = append(k.b, b) }

func (k *key) bool(b bool) {
	if b {
		k.byte(1)
	} else {
		k.byte(0)
	}
}

func (k *key) number(n int) { k.b = binary.AppendVarint(k.b, int64(n)) }

func (k *key) text(s string) {
	k.b = binary.AppendUvarint(k.b, uint64(len(s)))
	k.b = append(k.b, s...)
}

// texts appends t.
func (k *key) texts(t *texts) {
	k.bool(t.list)
	k.bool(t.superuser)
	k.text(t.sort)
	k.text(t.filter)
	k.text(t.expand)
	k.text(t.fields)
}

// request appends what a read of this shape hangs on in the request. ok is false
// if that cannot be told, so that the answer must not be kept.
func (k *key) request(sh *shape, req *pando.Request) (ok bool) {
	if len(sh.viewer) > 0 {
		k.viewer(sh.viewer, req.Auth)
	}
	if sh.manage {
		k.bool(req.Auth != nil)
	}
	for _, name := range sh.inputs {
		if !k.input(name, req) {
			return false
		}
	}
	return true
}

// viewer appends who asks if one of the shown records may be the caller's own.
func (k *key) viewer(collections []string, auth *pando.Record) {
	if auth != nil {
		for _, id := range collections {
			if id == auth.Collection.ID {
				k.text(id)
				k.text(auth.ID())
				return
			}
		}
	}
	k.text("")
}

// input appends the value of one input of a rule.
func (k *key) input(name string, req *pando.Request) (ok bool) {
	name, _, _ = strings.Cut(name, ":") // a modifier looks at the same value
	root, rest, _ := strings.Cut(name, ".")
	first, _, deeper := strings.Cut(rest, ".")
	switch root {
	case "context":
		k.text(req.Context)
	case "method":
		k.text(req.Method)
	case "auth":
		return k.auth(first, deeper, req.Auth)
	case "query":
		k.lookup(req.Query, rest, first)
	case "headers":
		k.lookup(req.Header, rest, first)
	case "body":
		v, found := req.Body[first]
		k.bool(found)
		if found {
			data, err := json.Marshal(v)
			if err != nil {
				return false
			}
			k.b = binary.AppendUvarint(k.b, uint64(len(data)))
			k.b = append(k.b, data...)
		}
	default:
		return false
	}
	return true
}

// auth appends the value of a field of the caller's record. What lies behind it
// (related records) is data, which the fill notes as it reads it; where it lies
// follows from the caller's collection and this value, or, for a back relation,
// the id.
func (k *key) auth(field string, deeper bool, auth *pando.Record) (ok bool) {
	if mutant.MissingAuthField {
		return true
	}
	if auth == nil {
		k.byte(0)
		return true
	}
	k.byte(1)
	k.text(auth.Collection.ID)
	switch field {
	case "collectionId":
		return true
	case "collectionName": // who asks may have been found out before a rename, and the version after it
		k.text(auth.Collection.Name)
		return true
	}
	i := auth.Collection.FieldIndex(field)
	k.bool(i >= 0)
	if i < 0 || deeper {
		k.text(auth.ID())
	}
	if i < 0 {
		return true
	}
	return k.value(auth.Values[i])
}

// value appends a value of a record, its type in front.
func (k *key) value(v any) (ok bool) {
	switch v := v.(type) {
	case string:
		k.byte('s')
		k.text(v)
	case float64:
		k.byte('n')
		k.b = binary.BigEndian.AppendUint64(k.b, math.Float64bits(v))
	case bool:
		k.byte('b')
		k.bool(v)
	case []string:
		k.byte('l')
		k.number(len(v))
		for _, s := range v {
			k.text(s)
		}
	case json.RawMessage:
		k.byte('j')
		k.text(string(v))
	case pando.GeoPoint:
		k.byte('g')
		k.b = binary.BigEndian.AppendUint64(k.b, math.Float64bits(v.Lon))
		k.b = binary.BigEndian.AppendUint64(k.b, math.Float64bits(v.Lat))
	default:
		return false
	}
	return true
}

// lookup appends the values of a query parameter or a header, under the full
// name and under its first part: which of them a rule means is not for here.
func (k *key) lookup(find func(string) (string, bool), names ...string) {
	for _, name := range names {
		v, found := "", false
		if find != nil {
			v, found = find(name)
		}
		k.bool(found)
		k.text(v)
	}
}

// collide leaves eight keys of each kind.
func (k *key) collide() {
	sum := byte(0)
	for _, b := range k.b {
		sum = sum*31 + b
	}
	k.b = append(k.b[:min(len(k.b), 1)], sum%8)
}
