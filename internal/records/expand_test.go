package records_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// blog is collections that refer to each other in every way.
func blog(t testing.TB, w *world) {
	t.Helper()
	relation := func(id, name, to string, most int, more string) string {
		b, _ := json.Marshal(map[string]any{"id": id, "name": name, "type": "relation", "collectionId": "pbc_" + to, "maxSelect": most})
		return strings.TrimSuffix(string(b), "}") + more + "}"
	}
	name := `{"id":"name9","name":"name","type":"text"}`
	w.collection(t, "authors", nil, name)
	w.collection(t, "secrets", map[string]any{"viewRule": nil}, name)
	w.collection(t, "partial", map[string]any{"viewRule": `name != "no"`}, name)
	w.collection(t, "posts", nil,
		relation("f1", "author", "authors", 1, `,"cascadeDelete":true`),
		relation("f2", "co", "authors", 5, ""),
		relation("f3", "sec", "secrets", 1, ""),
		relation("f4", "par", "partial", 5, ""),
		relation("f5", "req", "authors", 1, `,"required":true`),
		relation("f6", "hid", "authors", 1, `,"hidden":true`))
	w.collection(t, "comments", nil, relation("f1", "post", "posts", 1, `,"cascadeDelete":true`), relation("f2", "posts", "posts", 3, ""))
	w.collection(t, "profiles", map[string]any{"indexes": []string{"CREATE UNIQUE INDEX idx_who ON profiles (who)"}},
		relation("f1", "who", "authors", 1, ""))
	for _, n := range []string{"a1", "a2", "a3", "a4"} {
		w.env.Insert(t, "authors", map[string]any{"id": id(n), "name": n})
	}
	w.env.Insert(t, "secrets", map[string]any{"id": id("s1"), "name": "s1"})
	w.env.Insert(t, "partial", map[string]any{"id": id("yes"), "name": "yes"})
	w.env.Insert(t, "partial", map[string]any{"id": id("no"), "name": "no"})
	w.env.Insert(t, "posts", map[string]any{
		"id": id("p1"), "author": id("a1"), "co": []string{id("a2"), id("a1"), id("a3")}, "sec": id("s1"),
		"par": []string{id("no"), id("yes")}, "req": id("a4"), "hid": id("a1"),
	})
	w.env.Insert(t, "posts", map[string]any{"id": id("p2"), "author": id("a1"), "par": []string{id("no")}, "req": id("a4")})
	w.env.Insert(t, "comments", map[string]any{"id": id("c1"), "post": id("p1"), "posts": []string{id("p1"), id("p2")}})
	w.env.Insert(t, "comments", map[string]any{"id": id("c2"), "post": id("p1")})
	w.env.Insert(t, "comments", map[string]any{"id": id("c3"), "post": id("p2")})
	w.env.Insert(t, "profiles", map[string]any{"id": id("pr1"), "who": id("a1")})
}

// outline is an expanded record as ids: "p1{author:a1{profiles_via_who:pr1}}".
func outline(v any) string {
	m := v.(map[string]any)
	out := strings.TrimRight(m["id"].(string), "0")
	expand, ok := m["expand"].(map[string]any)
	if !ok {
		return out
	}
	var parts []string
	for key, v := range expand {
		text := ""
		if list, many := v.([]any); many {
			var items []string
			for _, item := range list {
				items = append(items, outline(item))
			}
			text = "[" + strings.Join(items, " ") + "]"
		} else {
			text = outline(v)
		}
		parts = append(parts, key+":"+text)
	}
	if len(parts) > 1 && parts[0] > parts[1] {
		parts[0], parts[1] = parts[1], parts[0]
	}
	return out + "{" + strings.Join(parts, " ") + "}"
}

func TestExpand(t *testing.T) {
	w := newWorld(t)
	blog(t, w)
	for _, c := range []struct{ as, post, expand, want string }{
		{"", "p1", "author", "p1{author:a1}"},
		{"", "p1", "author.", "p1{author:a1}"},
		{"", "p1", ".author", "p1{author:a1}"},
		{"", "p1", ".", "p1"},
		{"", "p1", "co", "p1{co:[a2 a1 a3]}"},
		{"", "p1", " author , co ,", "p1{author:a1 co:[a2 a1 a3]}"},
		{"", "p1", "author,author.profiles_via_who", "p1{author:a1{profiles_via_who:pr1}}"},
		{"", "p1", "co.profiles_via_who", "p1{co:[a2{} a1{profiles_via_who:pr1} a3{}]}"},
		{"", "p1", "comments_via_post", "p1{comments_via_post:[c1 c2]}"},
		{"", "p1", "COMMENTS_via_post", "p1{COMMENTS_via_post:[c1 c2]}"},
		{"", "p1", "comments(post)", "p1{comments(post):[c1 c2]}"},
		{"", "p1", "comments_via_posts", "p1{comments_via_posts:[c1]}"},
		{"", "p1", "comments_via_post.post.author", "p1{comments_via_post:[c1{post:p1{author:a1}} c2{post:p1{author:a1}}]}"},
		{"", "p1", "author.posts_via_author.comments_via_post", "p1{author:a1{posts_via_author:[p1{comments_via_post:[c1 c2]} p2{comments_via_post:[c3]}]}}"},
		{"", "p2", "comments_via_post.post.comments_via_post.post.comments_via_post.post.comments_via_post",
			"p2{comments_via_post:[c3{post:p2{comments_via_post:[c3{post:p2{comments_via_post:[c3{post:p2}]}}]}}]}"},
		{"", "p1", "par", "p1{par:[yes]}"},
		{"", "p2", "par", "p2{}"},
		{"", "p2", "co", "p2{}"},
		{"", "p2", "co.nope", "p2{}"}, // nobody is there to ask
		{"", "p1", "sec", "p1"},
		{"", "p2", "sec", "p2"},
		{"", "p1", "author,sec", "p1{author:a1}"},
		{"", "p1", "nope", "p1"},
		{"", "p1", "id", "p1"},
		{"", "p1", "Author", "p1"},
		{"", "p1", "author.nope", "p1"},
		{"", "p1", "co,author.nope", "p1{co:[a2 a1 a3]}"},
		{"", "p1", "profiles_via_who", "p1"},
		{"", "p1", "posts_via_author", "p1"},
		{"", "p1", "hid", "p1{hid:a1}"},
		{"", "p1", "author.posts_via_hid", "p1{author:a1{posts_via_hid:[p1]}}"},
		{"", "p1", "author..posts_via_author", "p1"},
		{"root", "p1", "sec,par", "p1{par:[no yes] sec:s1}"},
		{"root", "p1", "hid.posts_via_hid", "p1{hid:a1{posts_via_hid:[p1]}}"},
	} {
		got := outline(w.ok(t, call{as: c.as, do: "view", collection: "posts", id: id(c.post), query: with("expand", c.expand)}))
		if got != c.want {
			t.Errorf("%q of %s as %q:\n got %s\nwant %s", c.expand, c.post, c.as, got, c.want)
		}
	}
	list := w.ok(t, call{do: "list", collection: "posts", query: with("expand", "co,par,sec")})["items"].([]any)
	got := []string{outline(list[0]), outline(list[1])}
	if diff := cmp.Diff([]string{"p1{co:[a2 a1 a3] par:[yes]}", "p2{}"}, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	created := w.ok(t, call{do: "create", collection: "comments", query: with("expand", "post.author"), body: `{"id":"c90000000000000","post":"p10000000000000"}`})
	if got := outline(created); got != "c9{post:p1{author:a1}}" {
		t.Errorf("create: got %s", got)
	}
}

func TestCascade(t *testing.T) {
	w := newWorld(t)
	blog(t, w)
	ids := with("fields", "id")
	refused := "400 Failed to delete record. Make sure that the record is not part of a required relation reference."
	w.expect(t, []step{
		{call{as: "root", do: "delete", collection: "authors", id: id("a4")}, refused},
		{call{do: "delete", collection: "authors", id: id("a2")}, "204"},
		{call{do: "view", collection: "posts", id: id("p1"), query: with("fields", "co")}, `200 {"co":["a10000000000000","a30000000000000"]}`},
		{call{do: "delete", collection: "posts", id: id("p2")}, "204"},
		{call{do: "list", collection: "comments", query: with("fields", "id,posts")},
			`200 {"items":[{"id":"c10000000000000","posts":["p10000000000000"]},{"id":"c20000000000000","posts":[]}],"page":1,"perPage":30,"totalItems":2,"totalPages":1}`},
		{call{do: "delete", collection: "authors", id: id("a1")}, "204"},
		{call{do: "list", collection: "posts", query: ids}, `200 {"items":[],"page":1,"perPage":30,"totalItems":0,"totalPages":0}`},
		{call{do: "list", collection: "comments", query: ids}, `200 {"items":[],"page":1,"perPage":30,"totalItems":0,"totalPages":0}`},
		{call{do: "view", collection: "profiles", id: id("pr1"), query: with("fields", "who")}, `200 {"who":""}`},
	})
}

// TestCascadeOfMany: a cascading relation to many takes its record along when
// the last is gone, and circles end.
func TestCascadeOfMany(t *testing.T) {
	w := newWorld(t)
	w.collection(t, "a", nil, `{"id":"f1","name":"next","type":"relation","collectionId":"pbc_a","maxSelect":1,"cascadeDelete":true}`)
	w.collection(t, "b", nil, `{"id":"f1","name":"as","type":"relation","collectionId":"pbc_a","maxSelect":5,"cascadeDelete":true}`,
		`{"id":"f2","name":"updated","type":"autodate","onUpdate":true}`)
	w.env.Insert(t, "a", map[string]any{"id": id("x")})
	for _, n := range []string{"y", "z"} {
		w.env.Insert(t, "a", map[string]any{"id": id(n), "next": id("x")})
	}
	w.ok(t, call{do: "update", collection: "a", id: id("x"), body: `{"next":"` + id("y") + `"}`})
	w.env.Insert(t, "a", map[string]any{"id": id("alone")})
	w.ok(t, call{do: "update", collection: "a", id: id("alone"), body: `{"next":"` + id("alone") + `"}`})
	w.env.Insert(t, "b", map[string]any{"id": id("b"), "as": []string{id("x"), id("alone")}})
	w.expect(t, []step{
		{call{do: "delete", collection: "a", id: id("z")}, "204"},
		{call{do: "delete", collection: "a", id: id("y")}, "204"},
		{call{do: "list", collection: "a", query: with("fields", "id")}, `200 {"items":[{"id":"alone0000000000"}],"page":1,"perPage":30,"totalItems":1,"totalPages":1}`},
		{call{do: "view", collection: "b", id: id("b"), query: with("fields", "as,updated")},
			`200 {"as":["alone0000000000"],"updated":"2026-01-02 03:04:05.000Z"}`},
		{call{do: "delete", collection: "a", id: id("alone")}, "204"},
		{call{do: "view", collection: "b", id: id("b")}, notFoundText},
	})
}
