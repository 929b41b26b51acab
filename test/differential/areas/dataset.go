package areas

// The data set: what every area reads. It is made through the API by a
// superuser, so it is compared as well.

const (
	ownerID = "user00000000001"
	userID  = "user00000000002"
	thirdID = "user00000000003"

	usersCollection = "_pb_users_auth_"
	secret          = "correct-horse-2" // password of every auth record
)

var autodates = []row{
	field("autodate", "created", row{"onCreate": true}),
	field("autodate", "updated", row{"onCreate": true, "onUpdate": true}),
}

func dataset() []req {
	return flat(
		[]req{
			{Name: "log in superuser", Path: "/api/collections/_superusers/auth-with-password",
				Body:    `{"identity":"{{root.email}}","password":"{{root.password}}"}`,
				Capture: map[string]string{superuser: "token", "root.id": "record.id"}},
			{Name: "enable batch", Method: "PATCH", As: superuser, Path: "/api/settings",
				Body: `{"batch":{"enabled":true,"maxRequests":50}}`},
		},
		people(),
		each(blog, collection),
		blogRecords(),
		[]req{collection(summary)},
		each(typed, collection),
		typedRecords(),
	)
}

func people() []req {
	var all []req
	for i, p := range []struct {
		as, name string
		visible  bool
		verified bool
	}{
		{owner, "Olga Owner", false, true},
		{user, "Uwe User", true, true},
		{"third", "Third Person", false, false},
	} {
		email := p.as + "@example.com"
		all = append(all, records("users", row{"id": id("user", i+1), "email": email, "name": p.name,
			"password": secret, "passwordConfirm": secret, "emailVisibility": p.visible, "verified": p.verified})...)
		all = append(all, login(p.as, "users", email, secret))
	}
	return all
}

// blog are related collections: forward and back, single and multiple, with
// a target that only superusers see and one that cascades.
var blog = []row{
	with(rules(""), row{"name": "tags", "fields": []row{
		field("text", "title", row{"required": true}), field("number", "weight")}}),
	with(rules(nil), row{"name": "closed", "fields": []row{field("text", "title")}}),
	with(rules(""), row{"name": "authors", "fields": []row{
		field("text", "name"), field("number", "rank"), field("text", "note", row{"hidden": true}),
		field("relation", "user", row{"collectionId": usersCollection, "maxSelect": 1}),
		field("select", "langs", row{"values": []string{"en", "de", "fr"}, "maxSelect": 3}),
	}}),
	with(rules(""), row{"name": "posts", "updateRule": "owner = @request.auth.id", "fields": append([]row{
		field("text", "title"), field("editor", "body"), field("number", "n"), field("bool", "live"),
		field("date", "day"), field("select", "kind", row{"values": []string{"news", "essay", "note"}, "maxSelect": 1}),
		field("select", "labels", row{"values": []string{"a", "b", "c", "d"}, "maxSelect": 4}),
		field("json", "meta"), field("geoPoint", "place"), field("email", "contact"), field("url", "link"),
		field("text", "internal", row{"hidden": true}),
		field("relation", "author", row{"collectionId": "{{authors}}", "maxSelect": 1}),
		field("relation", "tags", row{"collectionId": "{{tags}}", "maxSelect": 5}),
		field("relation", "sealed", row{"collectionId": "{{closed}}", "maxSelect": 1}),
		field("relation", "owner", row{"collectionId": usersCollection, "maxSelect": 1}),
	}, autodates...), "indexes": []string{"CREATE INDEX `idx_posts_title` ON `posts` (`title`)"}}),
	with(rules(""), row{"name": "comments", "listRule": "by = '' || by = @request.auth.id || post.live = true",
		"fields": []row{
			field("relation", "post", row{"collectionId": "{{posts}}", "maxSelect": 1, "cascadeDelete": true, "required": true}),
			field("relation", "by", row{"collectionId": usersCollection, "maxSelect": 1}),
			field("text", "text"), field("number", "stars")}}),
	with(rules(""), row{"name": "profiles", "fields": []row{
		field("relation", "user", row{"collectionId": usersCollection, "maxSelect": 1}), field("text", "bio")},
		"indexes": []string{"CREATE UNIQUE INDEX `idx_profiles_user` ON `profiles` (`user`)"}}),
}

// summary is a view over the blog.
var summary = row{"name": "summary", "type": "view", "listRule": "", "viewRule": "n > 2",
	"viewQuery": "SELECT p.id, p.title, p.n, p.author, p.labels, p.meta, p.place, p.created, COUNT(c.id) AS replies, " +
		"CAST(p.n AS TEXT) AS shown, (p.n * 2.5) AS scaled, CAST(p.live AS BOOL) AS flag " +
		"FROM posts p LEFT JOIN comments c ON c.post = p.id GROUP BY p.id"}

func blogRecords() []req {
	tag := func(n ...int) []string {
		ids := []string{}
		for _, i := range n {
			ids = append(ids, id("tag", i))
		}
		return ids
	}
	return flat(
		records("tags",
			row{"id": id("tag", 1), "title": "red", "weight": 1},
			row{"id": id("tag", 2), "title": "green", "weight": 2},
			row{"id": id("tag", 3), "title": "blue", "weight": 3},
			row{"id": id("tag", 4), "title": "unused", "weight": 0}),
		records("closed", row{"id": id("closed", 1), "title": "nobody sees me"}),
		records("authors",
			row{"id": id("author", 1), "name": "Ada", "rank": 1, "note": "first", "user": ownerID, "langs": []string{"en", "de"}},
			row{"id": id("author", 2), "name": "Bob", "rank": 2, "note": "second", "user": userID, "langs": []string{"fr"}},
			row{"id": id("author", 3), "name": "cleo", "rank": 10, "note": "", "user": "", "langs": []string{}}),
		records("posts",
			row{"id": id("post", 1), "title": "Alpha", "body": "<p>Hello <b>big</b> world &amp; all</p>", "n": 1, "live": true,
				"day": "2022-01-01 10:00:00.000Z", "kind": "news", "labels": []string{"a"}, "meta": row{"a": row{"b": []any{1, "two", nil}}, "k": "v"},
				"place": row{"lon": 10.5, "lat": 50.25}, "contact": "a@example.com", "link": "https://example.com/a", "internal": "i1",
				"author": id("author", 1), "tags": tag(1, 2), "sealed": id("closed", 1), "owner": ownerID},
			row{"id": id("post", 2), "title": "beta", "body": "", "n": 2.5, "live": false, "day": "2022-06-15 00:00:00.000Z",
				"kind": "essay", "labels": []string{"a", "b"}, "meta": []any{1, 2, 3}, "place": row{"lon": -120, "lat": 0},
				"author": id("author", 1), "tags": tag(2), "owner": ownerID},
			row{"id": id("post", 3), "title": "Gamma 100%", "n": -3, "live": true, "day": "2023-03-03 03:03:03.003Z", "kind": "note",
				"labels": []string{"b", "c"}, "meta": "text", "author": id("author", 2), "tags": tag(1, 2, 3), "owner": userID, "internal": "i3"},
			row{"id": id("post", 4), "title": "under_score", "n": 0, "live": false, "day": "", "kind": "", "labels": []string{}, "meta": nil,
				"author": "", "tags": []string{}, "owner": ""},
			row{"id": id("post", 5), "title": "Ünïcode ß", "n": 1000000, "live": true, "day": "2024-02-29 23:59:59.999Z", "kind": "news",
				"labels": []string{"a", "b", "c", "d"}, "meta": 12.5, "author": id("author", 3), "tags": tag(3), "owner": userID},
			row{"id": id("post", 6), "title": "123", "n": 123, "live": false, "day": "2022-01-01 00:00:00.000Z", "kind": "essay",
				"labels": []string{"d"}, "meta": true, "author": id("author", 2), "tags": tag(1), "owner": ownerID},
			row{"id": id("post", 7), "title": "O'Reilly \"x\" \\ back", "n": 7, "live": true, "kind": "note", "labels": []string{"c"},
				"meta":   row{"n": 5, "s": "5", "f": false, "z": nil, "l": []any{row{"x": 1}, row{"x": 2}}},
				"author": id("author", 1), "tags": tag(1, 3), "owner": userID}),
		records("comments",
			row{"id": id("comment", 1), "post": id("post", 1), "by": userID, "text": "first", "stars": 5},
			row{"id": id("comment", 2), "post": id("post", 1), "by": ownerID, "text": "second", "stars": 1},
			row{"id": id("comment", 3), "post": id("post", 1), "by": "", "text": "anonymous", "stars": 3},
			row{"id": id("comment", 4), "post": id("post", 2), "by": userID, "text": "on a draft", "stars": 4},
			row{"id": id("comment", 5), "post": id("post", 3), "by": userID, "text": "third", "stars": 5},
			row{"id": id("comment", 6), "post": id("post", 6), "by": "", "text": "open", "stars": 0}),
		records("profiles",
			row{"id": id("profile", 1), "user": ownerID, "bio": "owns"},
			row{"id": id("profile", 2), "user": userID, "bio": "uses"}),
	)
}

// typed are collections for values: one that shows how stored values compare,
// with numbers as text and text as numbers.
var typed = []row{
	with(rules(""), row{"name": "values", "fields": []row{
		field("text", "t"), field("number", "n"), field("bool", "b"), field("date", "d"), field("json", "j"),
		field("select", "s", row{"values": []string{"1", "2", "x"}, "maxSelect": 1}),
		field("select", "ss", row{"values": []string{"1", "2", "x"}, "maxSelect": 3}), field("geoPoint", "g"), field("email", "e"),
	}}),
}

func typedRecords() []req {
	return records("values",
		row{"id": id("value", 1), "t": "1", "n": 1, "b": true, "d": "2020-01-01 00:00:00.000Z", "j": 1, "s": "1", "ss": []string{"1", "2"}, "g": row{"lon": 1, "lat": 1}, "e": "a@b.co"},
		row{"id": id("value", 2), "t": "1.0", "n": 1.5, "b": false, "j": "1", "s": "x", "ss": []string{"x"}},
		row{"id": id("value", 3), "t": "", "n": 0, "j": nil},
		row{"id": id("value", 4), "t": "10", "n": 10, "j": row{"a": 1, "b": row{"c": "deep"}, "arr": []any{1, 2}}},
		row{"id": id("value", 5), "t": "9", "n": 9, "j": []any{}},
		row{"id": id("value", 6), "t": "abc", "n": -1, "j": "abc"},
		row{"id": id("value", 7), "t": "ABC", "n": 1e15, "j": row{}},
		row{"id": id("value", 8), "t": "true", "n": 0.1, "b": true, "j": true},
		row{"id": id("value", 9), "t": "null", "n": 1e-7, "j": ""},
		row{"id": id("value", 10), "t": "a%b_c\\d", "n": 123456789.123, "j": []any{"x", nil, 2}},
	)
}

func flat(groups ...[]req) []req {
	var all []req
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func each[T any](items []T, f func(T) req) []req {
	var all []req
	for _, item := range items {
		all = append(all, f(item))
	}
	return all
}
