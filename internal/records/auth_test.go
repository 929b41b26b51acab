package records_test

import (
	"testing"

	"github.com/pandobase/pando"
)

// members is an auth collection that bosses manage.
func members(t testing.TB, w *world) {
	t.Helper()
	w.env.Change(t, "users", func(c *pando.Collection) {
		c.Auth.ManageRule = new(`@request.auth.name = "boss"`)
		c.Field("tokenKey").Options.(*pando.TextOptions).AutogeneratePattern = "[a-zA-Z0-9]{50}"
	})
	w.as["boss"] = w.env.Insert(t, "users", map[string]any{
		"id": id("boss"), "name": "boss", "email": "boss@example.com", "tokenKey": id("boss") + id("boss"),
	})
}

const noPassword = `"passwordConfirm":"validation_required"`

func TestAuthCreate(t *testing.T) {
	w := newWorld(t)
	members(t, w)
	good := `"password":"12345678","passwordConfirm":"12345678"`
	for _, c := range []struct{ as, body, want string }{
		{"", `{}`, `{"password":"validation_required",` + noPassword + `}`},
		{"", `{"password":"12345678"}`, `{` + noPassword + `}`},
		{"root", `{"password":"12345678"}`, `{` + noPassword + `}`},
		{"", `{"password":"12345678","passwordConfirm":"1234567"}`, `{"passwordConfirm":"validation_values_mismatch"}`},
		{"", `{"password":"123","passwordConfirm":"123"}`, `{"email":"validation_required","password":"validation_min_text_constraint"}`},
		{"", `{"email":"bad",` + good + `}`, `{"email":"validation_is_email"}`},
		{"", `{"email":"v@x.co","verified":true,` + good + `}`, `{"verified":"validation_values_mismatch"}`},
		{"", `{"name":"boss","email":"v@x.co","verified":true,` + good + `}`, `{"verified":"validation_values_mismatch"}`},
		{"", `{"email":"boss@example.com",` + good + `}`, `{"email":"validation_not_unique"}`},
		{"", `{"id":"root00000000000","email":"r@x.co",` + good + `}`, `{"id":"validation_invalid_auth_id"}`},
		{"", `{"email":"l@x.co","password":"éééééééééééééééééééééééééééééééééééééééé","passwordConfirm":"éééééééééééééééééééééééééééééééééééééééé"}`, ""},
		{"root", `{"email":"t@x.co","tokenKey":"short",` + good + `}`, `{"tokenKey":"validation_min_text_constraint"}`},
	} {
		want := "400 Failed to create record."
		if c.want != "" {
			want += " " + c.want
		}
		if got := w.run(t, call{as: c.as, do: "create", collection: "users", body: c.body}); got != want {
			t.Errorf("%q %s:\n got %s\nwant %s", c.as, c.body, got, want)
		}
	}
	fields := with("fields", "email,verified")
	w.expect(t, []step{
		{call{do: "create", collection: "users", body: `{"email":"a@x.co","tokenKey":"short",` + good + `}`, query: fields}, `200 {"verified":false}`},
		{call{do: "create", collection: "users", body: `{"email":"b@x.co","emailVisibility":true,` + good + `}`, query: fields}, `200 {"email":"b@x.co","verified":false}`},
		{call{as: "boss", do: "create", collection: "users", body: `{"email":"c@x.co","verified":true,` + good + `}`, query: fields}, `200 {"email":"c@x.co","verified":true}`},
		{call{as: "root", do: "create", collection: "users", body: `{"email":"d@x.co","verified":true,` + good + `}`, query: fields}, `200 {"email":"d@x.co","verified":true}`},
	})
}

func TestAuthUpdate(t *testing.T) {
	w := newWorld(t)
	members(t, w)
	w.ok(t, call{do: "create", collection: "users", body: `{"id":"user00000000000","email":"u@x.co","password":"12345678","passwordConfirm":"12345678"}`})
	const refused = "400 Failed to update record. "
	mismatch := func(field string) string { return refused + `{"` + field + `":"validation_values_mismatch"}` }
	for _, c := range []struct{ as, body, want string }{
		{"", `{"email":"n@x.co"}`, mismatch("email")},
		{"", `{"email":"u@x.co","verified":false}`, `200 {"verified":false}`},
		{"", `{"verified":true}`, mismatch("verified")},
		{"", `{"password":"abcdefgh"}`, refused + `{"oldPassword":"validation_required",` + noPassword + `}`},
		{"", `{"password":"abcdefgh","passwordConfirm":"zzz","oldPassword":"12345678"}`, mismatch("passwordConfirm")},
		{"", `{"password":"abcdefgh","passwordConfirm":"zzz","oldPassword":"wrong"}`, refused + `{"oldPassword":"validation_invalid_old_password","passwordConfirm":"validation_values_mismatch"}`},
		{"", `{"oldPassword":"wrong"}`, refused + `{"password":"validation_required",` + noPassword + `}`},
		{"", `{"passwordConfirm":"x"}`, refused + `{"oldPassword":"validation_required","password":"validation_required","passwordConfirm":"validation_values_mismatch"}`},
		{"", `{"password":""}`, refused + `{"password":"validation_required"}`},
		{"", `{"tokenKey":"x"}`, `200 {"verified":false}`},
		{"", `{"password":"abcdefgh","passwordConfirm":"abcdefgh","oldPassword":"12345678"}`, `200 {"verified":false}`},
		{"", `{"password":"12345678","passwordConfirm":"12345678","oldPassword":"abcdefgh"}`, `200 {"verified":false}`},
		{"boss", `{"passwordConfirm":"x"}`, refused + `{"password":"validation_required","passwordConfirm":"validation_values_mismatch"}`},
		{"boss", `{"password":"abcdefgh","passwordConfirm":"abcdefgh"}`, `200 {"email":"u@x.co","verified":false}`},
		{"boss", `{"email":"n@x.co","verified":true}`, `200 {"email":"n@x.co","verified":true}`},
		{"boss", `{"email":"boss@example.com"}`, refused + `{"email":"validation_not_unique"}`},
		{"root", `{"email":"u@x.co"}`, `200 {"email":"u@x.co","verified":true}`},
		{"root", `{"password":"abcdefgh"}`, refused + `{` + noPassword + `}`},
	} {
		got := w.run(t, call{as: c.as, do: "update", collection: "users", id: "user00000000000", body: c.body, query: with("fields", "email,verified")})
		if got != c.want {
			t.Errorf("%q %s:\n got %s\nwant %s", c.as, c.body, got, c.want)
		}
	}
}

// TestTokenKeyRotates: a new password or address voids every token, and what
// else could be used to get one.
func TestTokenKeyRotates(t *testing.T) {
	w := newWorld(t)
	members(t, w)
	w.ok(t, call{do: "create", collection: "users", body: `{"id":"user00000000000","email":"u@x.co","password":"12345678","passwordConfirm":"12345678"}`})
	for _, c := range []struct {
		body  string
		fresh bool
		left  []string
	}{
		{`{"name":"x"}`, false, []string{"_mfas", "_otps", "_authOrigins", "_externalAuths"}},
		{`{"email":"n@x.co"}`, true, []string{"_mfas", "_authOrigins", "_externalAuths"}},
		{`{"password":"abcdefgh","passwordConfirm":"abcdefgh"}`, true, []string{"_externalAuths"}},
		{`{"verified":true}`, true, []string{"_mfas", "_otps", "_authOrigins"}},
	} {
		for _, name := range []string{"_mfas", "_otps", "_authOrigins", "_externalAuths"} {
			w.env.Insert(t, name, map[string]any{"id": pando.NewID(), "collectionRef": "pbc_users", "recordRef": "user00000000000"})
		}
		before := w.stored(t, "users", "user00000000000").String("tokenKey")
		w.ok(t, call{as: "root", do: "update", collection: "users", id: "user00000000000", body: c.body})
		after := w.stored(t, "users", "user00000000000").String("tokenKey")
		if fresh := before != after; fresh != c.fresh {
			t.Errorf("%s: token key changed: %v, want %v", c.body, fresh, c.fresh)
		}
		for _, name := range []string{"_mfas", "_otps", "_authOrigins", "_externalAuths"} {
			want := 0
			for _, left := range c.left {
				if left == name {
					want = 1
				}
			}
			got := w.ok(t, call{as: "root", do: "list", collection: name})
			if n := len(got["items"].([]any)); (n > 0) != (want > 0) {
				t.Errorf("%s: %d records of %s left, want some: %v", c.body, n, name, want > 0)
			}
			for _, item := range got["items"].([]any) {
				w.run(t, call{as: "root", do: "delete", collection: name, id: item.(map[string]any)["id"].(string)})
			}
		}
	}
}

// TestEmails: who sees an address.
func TestEmails(t *testing.T) {
	w := newWorld(t)
	members(t, w)
	fields := with("fields", "id,email")
	for as, want := range map[string]string{
		"":     `200 {"id":"ann000000000000"}`,
		"bob":  `200 {"id":"ann000000000000"}`,
		"ann":  `200 {"email":"ann@example.com","id":"ann000000000000"}`,
		"boss": `200 {"email":"ann@example.com","id":"ann000000000000"}`,
		"root": `200 {"email":"ann@example.com","id":"ann000000000000"}`,
	} {
		for range 2 { // made, and from the cache
			w.expect(t, []step{{call{as: as, do: "view", collection: "users", id: id("ann"), query: fields}, want}})
		}
	}
	for as, want := range map[string]int{"": 0, "bob": 1, "ann": 1, "boss": 3, "root": 3} {
		emails := 0
		for _, item := range w.ok(t, call{as: as, do: "list", collection: "users"})["items"].([]any) {
			if _, shown := item.(map[string]any)["email"]; shown {
				emails++
			}
		}
		if emails != want {
			t.Errorf("%q sees %d addresses, want %d", as, emails, want)
		}
	}
}

func TestSuperusers(t *testing.T) {
	w := newWorld(t)
	w.expect(t, []step{
		{call{as: "root", do: "delete", collection: "_superusers", id: id("root")}, "400 You can't delete the only existing superuser."},
		{call{as: "root", do: "create", collection: "_superusers", query: with("fields", "verified"),
			body: `{"id":"second000000000","email":"s@x.co","password":"12345678","passwordConfirm":"12345678","tokenKey":"123456789012345678901234567890","verified":false}`},
			`200 {"verified":true}`},
		{call{as: "root", do: "delete", collection: "_superusers", id: id("second")}, "204"},
	})
}

// stored reads a record past all rules.
func (w *world) stored(t testing.TB, collection, id string) *pando.Record {
	t.Helper()
	var rec *pando.Record
	err := w.read(t, func(r reader) error {
		var err error
		rec, err = r.Record(t.Context(), r.Catalog().Collection(collection), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}
