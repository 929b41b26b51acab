package records

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/field"
)

// draft is a submitted record, understood: what is to be done to which field. It
// can be carried out on any stored record, more than once, with the same result.
type draft struct {
	changes []change
	uploads []*upload
	form    passwordForm
	other   map[string]any // keys that mean no field; rules may read them
}

// change is one submitted key.
type change struct {
	field int // position in the collection
	op    field.Op
	value any  // cast if op is Set, else as submitted
	skip  bool // the server's own business (autodate, the id of an update): seen by rules only
}

// newDraft casts what was submitted. Hidden fields are for superusers; what
// others send for them is dropped.
func newDraft(ctx context.Context, k kind, p *plan, in pando.Input, superuser bool) (*draft, error) {
	d := &draft{other: map[string]any{}}
	for _, key := range submittedKeys(in) {
		f, op, ok := field.SplitKey(p.coll, key)
		raw, submitted := in.Body[key]
		if !ok {
			if submitted {
				d.other[key] = raw
			}
			continue
		}
		if !submitted && f.Type != pando.FieldFile {
			continue // a file that is sent to a field of another type
		}
		if f.Hidden && !superuser && !(p.coll.IsAuth() && f.Name == "password") {
			continue
		}
		c := change{field: p.coll.FieldIndex(f.Name), op: op, value: raw}
		switch {
		case f.Type == pando.FieldAutodate:
			c.skip = true
		case f.Type == pando.FieldFile:
			uploads, err := newUploads(ctx, f, in.Files[key])
			if err != nil {
				return nil, err
			}
			d.uploads = append(d.uploads, uploads...)
			c.value = withNames(f, raw, uploads)
		}
		switch op {
		case field.Set:
			c.value = field.Cast(f, c.value)
		case field.Autogenerate: // drawn once, so that every try makes the same record
			c.op, c.value = field.Set, field.Modify(f, "", op, raw)
		}
		if k == update && f.Name == "id" {
			c.skip = true
		}
		d.changes = append(d.changes, c)
	}
	// A plain key comes before the modifiers of its field, whatever their order.
	slices.SortStableFunc(d.changes, func(a, b change) int { return rank(a.op) - rank(b.op) })
	if p.coll.IsAuth() {
		d.form = newPasswordForm(in.Body)
	}
	return d, nil
}

func rank(op field.Op) int {
	return slices.Index([]field.Op{field.Set, field.Prepend, field.Append, field.Remove}, op)
}

// submittedKeys lists the keys of the body and of the files, sorted.
func submittedKeys(in pando.Input) []string {
	keys := slices.Collect(maps.Keys(in.Body))
	for key := range in.Files {
		if _, both := in.Body[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// withNames is a submitted file value with the names of new files behind it.
func withNames(f *pando.Field, raw any, uploads []*upload) any {
	if len(uploads) == 0 {
		return raw
	}
	multiple := *f
	multiple.Options = &pando.FileOptions{MaxSelect: 2}
	names, _ := field.Cast(&multiple, raw).([]string)
	for _, u := range uploads {
		names = append(names, u.name)
	}
	return names
}

// apply carries the draft out on rec.
func (d *draft) apply(rec *pando.Record) {
	for _, c := range d.changes {
		switch {
		case c.skip:
		case c.op == field.Set:
			rec.Values[c.field] = c.value
		default:
			rec.Values[c.field] = field.Modify(rec.Collection.Fields[c.field], rec.Values[c.field], c.op, c.value)
		}
	}
}

// touches tells whether the field was submitted, in any form.
func (d *draft) touches(i int) bool {
	return slices.ContainsFunc(d.changes, func(c change) bool { return c.field == i && !c.skip })
}

// id is the submitted id, and whether there was one.
func (d *draft) id(c *pando.Collection) (string, bool) {
	at := c.FieldIndex("id")
	for _, ch := range d.changes {
		if ch.field == at {
			id, _ := ch.value.(string)
			return id, true
		}
	}
	return "", false
}

// body is the submitted body as rules see it: the value that each submitted
// field has in rec, after all modifiers, and other keys as they came.
func (d *draft) body(rec *pando.Record) map[string]any {
	body := make(map[string]any, len(d.changes)+len(d.other))
	maps.Copy(body, d.other)
	for _, c := range d.changes {
		f := rec.Collection.Fields[c.field]
		v := rec.Values[c.field]
		if c.skip && f.Name == "id" {
			v = c.value
		}
		body[f.Name] = plainValue(v)
	}
	return body
}

// plainValue is a record's value as decoded JSON.
func plainValue(v any) any {
	switch v := v.(type) {
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return list
	case json.RawMessage:
		var out any
		if json.Unmarshal(v, &out) != nil {
			return nil
		}
		return out
	case pando.GeoPoint:
		return map[string]any{"lon": v.Lon, "lat": v.Lat}
	}
	return v
}

// defaultIDPattern is the pattern of ids that are made of lower-case ASCII only,
// so that two of them cannot differ in case alone.
const defaultIDPattern = "^[a-z0-9]+$"

// newID is an id for a record of c.
func newID(c *pando.Collection) (string, error) {
	pattern := field.IDPattern
	if f := c.Field("id"); f != nil {
		if o, ok := f.Options.(*pando.TextOptions); ok && o.AutogeneratePattern != "" {
			pattern = o.AutogeneratePattern
		}
	}
	return field.Generate(pattern)
}

// reservedIDs are names that some file systems give to devices: a record's
// files lie in a directory of its id.
var reservedIDs = map[string]bool{
	"CON": true, "PRN": true, "AUX": true, "NUL": true,
	"COM0": true, "COM1": true, "COM2": true, "COM3": true, "COM4": true, "COM5": true, "COM6": true, "COM7": true, "COM8": true, "COM9": true,
	"LPT0": true, "LPT1": true, "LPT2": true, "LPT3": true, "LPT4": true, "LPT5": true, "LPT6": true, "LPT7": true, "LPT8": true, "LPT9": true,
}

// forbiddenIDChars cannot stand in an id, whatever its own pattern says.
const forbiddenIDChars = "./\\|\"'`<>:?*%$ \t\n\r\x00"

// checkNewID says what is wrong with an id beyond its field's own checks.
func checkNewID(id string) *pando.FieldError {
	if i := strings.IndexAny(id, forbiddenIDChars); i >= 0 {
		ch := id[i : i+1]
		return &pando.FieldError{
			Code:    "validation_forbidden_pk_character",
			Message: "'" + ch + "' is not a valid primary key character.",
			Params:  map[string]any{"ch": ch},
		}
	}
	if name := strings.ToUpper(id); reservedIDs[name] {
		return &pando.FieldError{
			Code:    "validation_reserved_pk",
			Message: "The primary key '" + name + "' is reserved and cannot be used.",
			Params:  map[string]any{"reserved": name},
		}
	}
	return nil
}
