package areas

import (
	"encoding/json"
	"fmt"
	"strings"
)

// row is a JSON object in a table.
type row map[string]any

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a table in this package is wrong
	}
	return string(b)
}

// collection is the request that makes a collection and keeps its id in the
// variable of its name.
func collection(def row) req {
	name := fmt.Sprint(def["name"])
	return req{Name: "make collection " + name, As: superuser, Path: "/api/collections", Body: text(def),
		Capture: map[string]string{name: "id"}}
}

// records are the requests that fill a collection.
func records(name string, rows ...row) []req {
	var all []req
	for _, r := range rows {
		all = append(all, req{Name: fmt.Sprintf("fill %s %v", name, r["id"]), As: superuser,
			Path: "/api/collections/" + name + "/records", Body: text(r)})
	}
	return all
}

// login captures the token of an identity into the variable as.
func login(as, collection, identity, password string) req {
	return req{Name: "log in " + as, Path: "/api/collections/" + collection + "/auth-with-password",
		Body: text(row{"identity": identity, "password": password}), Capture: map[string]string{as: "token"}}
}

// field is a field definition: its type, its name and its options.
func field(kind, name string, options ...row) row {
	f := row{"type": kind, "name": name}
	for _, o := range options {
		for key, value := range o {
			f[key] = value
		}
	}
	return f
}

// rules are the five rules of a collection, all the same.
func rules(rule any) row {
	return row{"listRule": rule, "viewRule": rule, "createRule": rule, "updateRule": rule, "deleteRule": rule}
}

// with merges objects, later ones winning.
func with(parts ...row) row {
	all := row{}
	for _, p := range parts {
		for key, value := range p {
			all[key] = value
		}
	}
	return all
}

// at is the path of a collection's records, or of one of them.
func at(collection string, id ...string) string {
	return "/api/collections/" + collection + "/records" + strings.Join(append([]string{""}, id...), "/")
}

// swap replaces a word in a table's line.
func swap(line, from, to string) string { return strings.ReplaceAll(line, from, to) }
