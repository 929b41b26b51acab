package areas

import "fmt"

// Rules: each action on each kind of rule as each identity. This is the
// status table of the web API, with a record that is there and one that is
// not.

// ruled are the kinds of rules. Records 1 to 4 of each collection belong to
// the owner, so that each identity has one of its own to change and delete.
var ruled = []struct {
	name string
	rule any
}{
	{"null", nil},
	{"open", ""},
	{"own", "owner = @request.auth.id"},
	{"auth", "@request.auth.id != ''"},
	{"never", "title = 'no such title'"},
	{"record", "title != 'hidden'"},
	{"verified", "@request.auth.verified = true && @request.auth.collectionName = 'users'"},
	{"related", "owner.profiles_via_user.bio ?= 'owns'"},
	{"other", "@collection.profiles.user ?= @request.auth.id"},
	{"method", "@request.method = 'GET' || @request.method = 'POST'"},
	{"header", "@request.headers.x_key = 'open'"},
	{"query", "@request.query.key = 'open'"},
	{"body", "@request.body.title:isset = false || @request.body.title = 'new'"},
	{"changed", "@request.body.title:changed = false"},
	{"secret", "code = 'x1'"},
	{"context", "@request.context = 'default'"},
}

func ruleMatrix() []req {
	var all []req
	for _, k := range ruled {
		name := "rule_" + k.name
		all = append(all, collection(with(rules(k.rule), row{"name": name, "fields": []row{
			field("text", "title"), field("text", "code", row{"hidden": true}),
			field("relation", "owner", row{"collectionId": usersCollection, "maxSelect": 1})}})))
		for i := range everyone {
			all = append(all, records(name, row{"id": id("mine", i+1), "title": "t", "code": "x1", "owner": ownerID})...)
		}
		all = append(all, records(name, row{"id": id("other", 1), "title": "hidden", "code": "x2", "owner": userID})...)
		for i, as := range everyone {
			all = append(all, actions(name, as, i+1)...)
		}
	}
	return flat(all, ruleOrder(), ruleErrors())
}

func actions(name, as string, n int) []req {
	mine, other, none := id("mine", n), id("other", 1), id("none", 1)
	var all []req
	for _, r := range []req{
		{Name: "list", Path: at(name), Query: q("sort", "id")},
		{Name: "list with key", Path: at(name), Query: q("key", "open", "sort", "id", "fields", "id"), Headers: map[string]string{"X-Key": "open"}},
		{Name: "view", Path: at(name, mine)},
		{Name: "view another's", Path: at(name, other)},
		{Name: "view nothing", Path: at(name, none)},
		{Name: "create", Path: at(name), Body: text(row{"id": id("new", n), "title": "new", "code": "x1", "owner": ownerID})},
		{Name: "create for another", Path: at(name), Body: text(row{"id": id("newer", n), "title": "hidden", "owner": userID})},
		{Name: "update", Method: "PATCH", Path: at(name, mine), Body: text(row{"title": fmt.Sprintf("by %d", n)})},
		{Name: "update to the same", Method: "PATCH", Path: at(name, mine), Body: text(row{"title": fmt.Sprintf("by %d", n), "code": "x9"})},
		{Name: "update another's", Method: "PATCH", Path: at(name, other), Body: `{"owner":"` + ownerID + `"}`},
		{Name: "update nothing", Method: "PATCH", Path: at(name, none), Body: `{}`},
		{Name: "delete another's", Method: "DELETE", Path: at(name, id("other", 2))},
		{Name: "delete", Method: "DELETE", Path: at(name, mine)},
		{Name: "delete nothing", Method: "DELETE", Path: at(name, none)},
	} {
		r.Name = fmt.Sprintf("%s: %s as %s", name, r.Name, called(as))
		r.As = as
		all = append(all, r)
	}
	return all
}

// ruleOrder shows which check comes first.
func ruleOrder() []req {
	none, bad := id("none", 1), `{"title":`
	return []req{
		{Name: "unknown collection: list", Path: at("nope")},
		{Name: "unknown collection: list as superuser", As: superuser, Path: at("nope")},
		{Name: "unknown collection: view", Path: at("nope", none)},
		{Name: "unknown collection: create", Path: at("nope"), Body: `{}`},
		{Name: "unknown collection: update", Method: "PATCH", Path: at("nope", none), Body: `{}`},
		{Name: "unknown collection: delete", Method: "DELETE", Path: at("nope", none)},
		{Name: "unknown collection: malformed body", Path: at("nope"), Body: bad},
		{Name: "null rule: malformed body", Path: at("rule_null"), Body: bad},
		{Name: "null rule: malformed body on update", Method: "PATCH", Path: at("rule_null", none), Body: bad},
		{Name: "missing record: malformed body", Method: "PATCH", Path: at("rule_open", none), Body: bad},
		{Name: "null rule: bad filter", Path: at("rule_null"), Query: q("filter", "===")},
		{Name: "null rule: bad page", Path: at("rule_null"), Query: q("page", "x")},
		{Name: "never: invalid values", Path: at("rule_never"), Body: `{"owner":"missing"}`},
		{Name: "own: invalid values", As: owner, Path: at("rule_own"), Body: `{"owner":"` + ownerID + `","id":"short"}`},
		{Name: "open: missing relation", Path: at("rule_open"), Body: `{"owner":"missing"}`},
		{Name: "view collection: malformed body", Path: at("summary"), Body: bad},
		{Name: "user lists users", As: user, Path: at("users"), Query: q("fields", "id,email", "sort", "id")},
		{Name: "user views another user", As: user, Path: at("users", ownerID)},
		{Name: "guest views a user", Path: at("users", ownerID)},
		{Name: "user views himself", As: user, Path: at("users", userID)},
	}
}

// ruleErrors are rules that cannot be.
func ruleErrors() []req {
	var all []req
	for i, rule := range []string{"missing = 1", "=", "owner.missing = 1", "@collection.nope.x = 1", "title = 1 &&", "@request.body.nope = 1", "@request.auth.nope = 1", "title ~ 'ok'", "code = 'hidden'", "rule_open_via_owner.id != ''", "owner.rule_bad_7_via_owner.title ?= 'x'", "@request.nope = 1"} {
		name := fmt.Sprintf("rule_bad_%d", i)
		all = append(all, req{Name: "rule: " + rule, As: superuser, Path: "/api/collections", Body: text(with(rules(rule), row{"name": name, "fields": []row{
			field("text", "title"), field("text", "code", row{"hidden": true}), field("relation", "owner", row{"collectionId": usersCollection, "maxSelect": 1})}}))})
	}
	return all
}
