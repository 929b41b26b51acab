package records_test

import (
	"testing"
)

const (
	missingCollection = "404 Missing collection context."
	notFoundText      = "404 The requested resource wasn't found."
	superusersText    = "403 Only superusers can perform this action."
)

// TestStatus is the status table of the web API: each action, on each sort of
// collection and record.
func TestStatus(t *testing.T) {
	w := newWorld(t)
	title := `{"id":"text9","name":"title","type":"text","max":5}`
	rule := func(text any) map[string]any {
		return map[string]any{"listRule": text, "viewRule": text, "createRule": text, "updateRule": text, "deleteRule": text}
	}
	for name, rules := range map[string]map[string]any{
		"open": rule(""), "closed": rule(nil), "mine": rule(`title = "mine"`),
	} {
		w.collection(t, name, rules, title)
		w.env.Insert(t, name, map[string]any{"id": id("one"), "title": "mine"})
		w.env.Insert(t, name, map[string]any{"id": id("two"), "title": "other"})
	}
	w.env.Save(t, `{"id":"pbc_shown","name":"shown","type":"view","listRule":"","viewRule":"","viewQuery":"select id, title from open",`+
		`"fields":[{"id":"a","name":"id","type":"text","primaryKey":true,"system":true},{"id":"b","name":"title","type":"text"}]}`)

	body := `{"title":"mine"}`
	for _, c := range []struct{ as, collection, id, body, list, view, create, update, delete string }{
		{"", "nope", "one", body, missingCollection, missingCollection,
			"404 Missing or invalid collection context.", "404 Missing or invalid collection context.", missingCollection},
		{"root", "shown", "one", body, "200", "200",
			"400 Unsupported collection type.", "400 Unsupported collection type.", "400 Unsupported collection type."},
		{"", "closed", "one", body, superusersText, superusersText, superusersText, superusersText, superusersText},
		{"ann", "closed", "none", body, superusersText, superusersText, superusersText, superusersText, superusersText},
		{"root", "closed", "none", body, "200", notFoundText, "200", notFoundText, notFoundText},
		{"", "open", "none", body, "200", notFoundText, "200", notFoundText, notFoundText},
		{"", "open", "one", `{"title":"too long"}`, "200", "200",
			`400 Failed to create record. {"title":"validation_max_text_constraint"}`,
			`400 Failed to update record. {"title":"validation_max_text_constraint"}`, "204"},
		{"", "mine", "one", `{"title":"other"}`, "200", "200", "400 Failed to create record.", "200", notFoundText},
		{"", "mine", "two", `{"title":"mine"}`, "200", notFoundText, "200", notFoundText, notFoundText},
		{"ann", "mine", "none", body, "200", notFoundText, "200", notFoundText, notFoundText},
		{"root", "mine", "two", body, "200", "200", "200", "200", "204"},
		{"", "OPEN", "two", body, "200", "200", "200", "200", "204"},
	} {
		for _, s := range []struct{ do, want string }{
			{"list", c.list}, {"view", c.view}, {"create", c.create}, {"update", c.update}, {"delete", c.delete},
		} {
			got := w.run(t, call{as: c.as, do: s.do, collection: c.collection, id: id(c.id), body: c.body})
			if s.want == "200" {
				got = got[:3]
			}
			if got != s.want {
				t.Errorf("%s of %s/%s as %q: got %s, want %s", s.do, c.collection, c.id, c.as, got, s.want)
			}
		}
	}
}

// TestBrokenRule: a rule that names a field that is gone refuses, and says no
// more than that.
func TestBrokenRule(t *testing.T) {
	w := newWorld(t)
	broken := `gone = 1`
	w.collection(t, "broken", map[string]any{
		"listRule": broken, "viewRule": broken, "createRule": broken, "updateRule": broken, "deleteRule": broken,
	})
	w.env.Insert(t, "broken", map[string]any{"id": id("one")})
	w.expect(t, []step{
		{call{do: "list", collection: "broken"}, "400 Something went wrong while processing your request."},
		{call{do: "view", collection: "broken", id: id("one")}, notFoundText},
		{call{do: "create", collection: "broken"}, "400 Failed to create record."},
		{call{do: "update", collection: "broken", id: id("one")}, notFoundText},
		{call{do: "delete", collection: "broken", id: id("one")}, notFoundText},
		{call{as: "root", do: "view", collection: "broken", id: id("one")},
			`200 {"collectionId":"pbc_broken","collectionName":"broken","id":"one000000000000"}`},
	})
}
