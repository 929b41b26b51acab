package records

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// Differences implements cache.Codec: names of fields, as the schema has them. What is
// below a field is users' data, names in a JSON field too.
func (Codec) Differences(key, a, b []byte) []string {
	if len(a) == 0 || len(b) == 0 || a[0] != b[0] {
		return []string{"whether there is an answer, and whether it shows something"}
	}
	if a[0] == encodedNotFound {
		return []string{"message"}
	}
	x, ok1 := parsed(a[1:]).(map[string]any)
	y, ok2 := parsed(b[1:]).(map[string]any)
	if !ok1 || !ok2 {
		return []string{"form"}
	}
	d := unlike{}
	if len(key) > 0 && key[0] == 1 { // a list: see key.texts
		d.page(x, y)
	} else {
		d.record("", x, y)
	}
	return slices.Sorted(maps.Keys(d))
}

func parsed(text []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // two that differ beyond a float do
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// unlike is a set of names.
type unlike map[string]bool

func (d unlike) page(x, y map[string]any) {
	for name := range names(x, y) {
		if name != "items" && !same(x, y, name) {
			d[name] = true
		}
	}
	d.records("items", x["items"], y["items"])
}

// records compares records by their places: those of others differ in everything.
func (d unlike) records(name string, x, y any) {
	a, ok1 := x.([]any)
	b, ok2 := y.([]any)
	if !ok1 || !ok2 || len(a) != len(b) {
		if !reflect.DeepEqual(x, y) {
			d[name+" (how many)"] = true
		}
		return
	}
	for i := range a {
		r, ok1 := a[i].(map[string]any)
		q, ok2 := b[i].(map[string]any)
		if !ok1 || !ok2 {
			continue
		}
		d.record(name+".", r, q)
	}
}

func (d unlike) record(prefix string, x, y map[string]any) {
	for name := range names(x, y) {
		if same(x, y, name) {
			continue
		}
		r, ok1 := x[name].(map[string]any)
		q, ok2 := y[name].(map[string]any)
		if name == "expand" && ok1 && ok2 {
			d.expanded(prefix+"expand.", r, q)
			continue
		}
		d[prefix+name] = true
	}
}

// expanded compares what relations lead to, one record each or several.
func (d unlike) expanded(prefix string, x, y map[string]any) {
	for name := range names(x, y) {
		if same(x, y, name) {
			continue
		}
		r, ok1 := x[name].(map[string]any)
		q, ok2 := y[name].(map[string]any)
		if ok1 && ok2 {
			d.record(prefix+name+".", r, q)
			continue
		}
		d.records(prefix+name, x[name], y[name])
	}
}

// names are those of either.
func names(x, y map[string]any) map[string]bool {
	all := make(map[string]bool, len(x))
	for name := range x {
		all[name] = true
	}
	for name := range y {
		all[name] = true
	}
	return all
}

func same(x, y map[string]any, name string) bool {
	a, ok1 := x[name]
	b, ok2 := y[name]
	return ok1 == ok2 && reflect.DeepEqual(a, b)
}
