package pando

import (
	"encoding/json"
	"slices"
)

// Record is one record: a value for each field of its collection.
//
// The Go type of a value follows from its field:
//
//	text, email, url, editor, password (the bcrypt hash)   string
//	date, autodate                                          string, as [FormatTime] writes it, or ""
//	number                                                  float64
//	bool                                                    bool
//	select, file, relation                                  string, or []string if [Field.Multiple]
//	json                                                    json.RawMessage; null is "null"
//	geoPoint                                                [GeoPoint]
//
// A record that came out of a cache is shared and must not be changed:
// [Record.Clone] it first.
type Record struct {
	Collection *Collection
	Values     []any // by position of the field in Collection.Fields
}

// GeoPoint is a place on earth, in degrees. 0,0 counts as empty.
type GeoPoint struct {
	Lon float64 `json:"lon"`
	Lat float64 `json:"lat"`
}

// NewRecord is a record of c with the zero value of every field.
func NewRecord(c *Collection) *Record {
	r := &Record{Collection: c, Values: make([]any, len(c.Fields))}
	for i, f := range c.Fields {
		r.Values[i] = f.Zero()
	}
	return r
}

// Zero is the value of f in a record that nobody has given one.
func (f *Field) Zero() any {
	switch f.Type {
	case FieldNumber:
		return 0.0
	case FieldBool:
		return false
	case FieldJSON:
		return json.RawMessage("null")
	case FieldGeoPoint:
		return GeoPoint{}
	}
	if f.Multiple() {
		return []string(nil)
	}
	return ""
}

// ID is the record's id.
func (r *Record) ID() string { return r.String("id") }

// Get is the value of the named field, nil if there is no such field.
func (r *Record) Get(name string) any {
	if i := r.Collection.FieldIndex(name); i >= 0 {
		return r.Values[i]
	}
	return nil
}

// Set replaces the value of the named field; v must have the Go type of the
// field. Setting a field that does not exist does nothing.
func (r *Record) Set(name string, v any) {
	if i := r.Collection.FieldIndex(name); i >= 0 {
		r.Values[i] = v
	}
}

// String is the value of a field that holds one string, "" for any other.
func (r *Record) String(name string) string {
	s, _ := r.Get(name).(string)
	return s
}

// Bool is the value of a bool field, false for any other.
func (r *Record) Bool(name string) bool {
	b, _ := r.Get(name).(bool)
	return b
}

// Strings is the value of a select, file or relation field as a list, whether
// it holds one or many; empty values are left out.
func (r *Record) Strings(name string) []string {
	switch v := r.Get(name).(type) {
	case []string:
		return v
	case string:
		if v != "" {
			return []string{v}
		}
	}
	return nil
}

// IsSuperuser tells whether r passes every rule. It holds for nil, a guest.
func (r *Record) IsSuperuser() bool { return r != nil && r.Collection.IsSuperusers() }

// Clone is a copy whose values can be set without touching r's.
func (r *Record) Clone() *Record {
	return &Record{Collection: r.Collection, Values: slices.Clone(r.Values)}
}
