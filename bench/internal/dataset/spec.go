package dataset

import "fmt"

// version changes when a loaded directory of an older version no longer holds
// what this package describes.
const version = 1

// Lot is the number of records that share one value of the field lot. A
// filter on lot finds as many records among ten million as among ten
// thousand.
const Lot = 30

// Categories is the number of values of the field category.
const Categories = 50

// Collection is the name of the collection with the records.
const Collection = "items"

// UserPassword is the password of every user.
const UserPassword = "bench-user-pass-1"

// Spec describes the contents of a data directory.
type Spec struct {
	Records int  // in Collection
	Users   int  // in users
	Owned   bool // the rules let users see only the records that they own
	Indexed bool // lot has an index
	Logins  int  // users with a password that works; 0 is all of them
}

// String names the spec, also as a directory.
func (s Spec) String() string {
	name := fmt.Sprintf("v%d-%d-records-%d-users", version, s.Records, s.Users)
	if s.Owned {
		name += "-owned"
	}
	if s.Indexed {
		name += "-indexed"
	}
	if s.Logins > 0 {
		name += fmt.Sprintf("-%d-logins", s.Logins)
	}
	return name
}

// CanLogIn is the number of users whose password works.
func (s Spec) CanLogIn() int {
	if s.Logins > 0 {
		return min(s.Logins, s.Users)
	}
	return s.Users
}

// rule is the list and view rule of the collection.
func (s Spec) rule() string {
	if s.Owned {
		return "owner = @request.auth.id"
	}
	return ""
}

// collection is the body of the request that creates the collection.
func (s Spec) collection(usersID string) map[string]any {
	field := func(kind, name string, more map[string]any) map[string]any {
		f := map[string]any{"type": kind, "name": name}
		for k, v := range more {
			f[k] = v
		}
		return f
	}
	indexes := []string{}
	if s.Indexed {
		indexes = append(indexes, "CREATE INDEX idx_items_lot ON items (lot)")
	}
	return map[string]any{
		"name": Collection, "type": "base",
		"listRule": s.rule(), "viewRule": s.rule(),
		"createRule": "", "updateRule": "", "deleteRule": "",
		"fields": []map[string]any{
			field("text", "title", nil),
			field("text", "body", nil),
			field("text", "category", nil),
			field("text", "lot", nil),
			field("number", "points", nil),
			field("bool", "active", nil),
			field("date", "due", nil),
			field("relation", "owner", map[string]any{"collectionId": usersID, "maxSelect": 1}),
			field("autodate", "created", map[string]any{"onCreate": true}),
			field("autodate", "updated", map[string]any{"onCreate": true, "onUpdate": true}),
		},
		"indexes": indexes,
	}
}
