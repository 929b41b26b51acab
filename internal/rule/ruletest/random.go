package ruletest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pandobase/pando"
)

// shapes is the schema of the random worlds: every kind of field and join.
const shapes = `
collection orgs base
  name text
  rank number
  list name != "b"
collection people auth
  role text
  level number
  org relation orgs
  friends relation many people
  prefs json
collection posts base
  title text
  num number
  flag bool
  day date
  sel select
  tags select many
  js json
  geo geoPoint
  author relation people
  editors relation many people
  index CREATE INDEX ix_js ON posts (json_extract(js, '$.a'))
  index CREATE INDEX ix_title ON posts (title)
collection comments base
  post relation posts
  text text
  n number
  index CREATE INDEX ix_post ON comments (post)
collection tagged base
  posts relation many posts
  note text
collection metas base
  post relation posts
  note text
  index CREATE UNIQUE INDEX ix_metas ON metas (post) WHERE post != ''
`

var texts = []string{"", "a", "b", "A", "1", "1.0", "10", " 2", "a%", "_", "x\\y", "1e1", "é", "now", "2026-01-02 03:04:05.678Z"}

var numbers = []float64{0, 1, 2, -1.5, 10, 0.1, 1e15, 123456789012345680, 3}

var documents = []string{
	`null`, `1`, `1.5`, `"a"`, `"1"`, `true`, `{"a":1}`, `{"a":"1","b":[1,"a"]}`, `{"a":{"b":null}}`, `[1,"a",{"a":2}]`,
	`{"a":""}`, `{"a":1.0}`, `""`, `{"a":true}`, `{ "a" : [ ] }`, `10`, `{"a":12345678901234567890}`,
}

// Random makes worlds, rules and requests that hang together: the same seed
// makes the same.
type Random struct{ *rand.Rand }

// NewRandom makes a Random. Seeds are apart if either number differs.
func NewRandom(a, b uint64) Random { return Random{rand.New(rand.NewPCG(a, b))} }

// Pick is one of a list.
func Pick[T any](r Random, list []T) T { return list[r.IntN(len(list))] }

func (r Random) id(kind string) string { return fmt.Sprintf("%s%d", kind, 1+r.IntN(4)) }

func (r Random) ids(kind string) []string {
	var out []string
	for range r.IntN(4) {
		out = append(out, r.id(kind))
	}
	return out
}

func (r Random) maybe(s string) string {
	if r.IntN(4) == 0 {
		return ""
	}
	return s
}

// RandomWorld is a world of every kind of field and join.
func RandomWorld(t testing.TB, seed uint64) *World {
	t.Helper()
	script, err := Parse(shapes, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, r := script.World, Random{rand.New(rand.NewPCG(seed, 1))}
	add := func(name, id string, values map[string]any) {
		c := w.Collection(name)
		data, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := Record(c, string(data))
		if err != nil {
			t.Fatal(err)
		}
		rec.Set("id", id)
		w.Records = append(w.Records, rec)
	}
	for i := 1; i <= r.IntN(4); i++ {
		add("orgs", fmt.Sprintf("o%d", i), map[string]any{"name": Pick(r, texts), "rank": Pick(r, numbers)})
	}
	for i := 1; i <= 1+r.IntN(3); i++ {
		add("people", fmt.Sprintf("u%d", i), map[string]any{
			"role": Pick(r, texts), "level": Pick(r, numbers), "org": r.maybe(r.id("o")), "friends": r.ids("u"),
			"email": Pick(r, texts), "emailVisibility": r.IntN(2) == 0, "verified": r.IntN(2) == 0,
			"prefs": json.RawMessage(Pick(r, documents)),
		})
	}
	for i := 1; i <= 1+r.IntN(4); i++ {
		add("posts", fmt.Sprintf("p%d", i), map[string]any{
			"title": Pick(r, texts), "num": Pick(r, numbers), "flag": r.IntN(2) == 0,
			"day": r.maybe("2026-0" + fmt.Sprint(1+r.IntN(9)) + "-02 03:04:05.678Z"), "sel": Pick(r, texts),
			"tags": []string{Pick(r, texts), "a", "b"}[r.IntN(2) : 2+r.IntN(2)], "js": json.RawMessage(Pick(r, documents)),
			"geo": pando.GeoPoint{Lon: Pick(r, numbers[:5]), Lat: Pick(r, numbers[:5])}, "author": r.maybe(r.id("u")), "editors": r.ids("u"),
		})
	}
	for i := 1; i <= r.IntN(5); i++ {
		add("comments", fmt.Sprintf("c%d", i), map[string]any{"post": r.maybe(r.id("p")), "text": Pick(r, texts), "n": Pick(r, numbers)})
	}
	for i := 1; i <= r.IntN(4); i++ {
		add("tagged", fmt.Sprintf("t%d", i), map[string]any{"posts": r.ids("p"), "note": Pick(r, texts)})
	}
	for i := 1; i <= r.IntN(3); i++ {
		add("metas", fmt.Sprintf("m%d", i), map[string]any{"post": fmt.Sprintf("p%d", i), "note": Pick(r, texts)})
	}
	return w
}

var (
	paths = []string{
		"id", "title", "num", "flag", "day", "sel", "tags", "js", "geo", "author", "editors",
		"title:lower", "num:lower", "tags:each", "tags:length", "sel:each", "sel:length", "editors:each", "editors:length",
		"js.a", "js.a.b", "js.0", "js.b.1", "js.2.a", "js:lower", "geo.lon", "geo.lat",
		"author.role", "author.id", "author.level", "author.org.name", "author.org.rank", "author.prefs.a", "author.email",
		"author.friends.role", "author.friends:length", "author.friends:each",
		"editors.role", "editors.level", "editors.id", "editors.org.name", "editors.friends.level", "editors.prefs.a", "editors.email",
		"comments_via_post.text", "comments_via_post.n", "comments_via_post.id", "comments_via_post.post.title",
		"tagged_via_posts.note", "tagged_via_posts.posts:each", "tagged_via_posts.posts.num", "metas_via_post.note",
		"@request.auth.id", "@request.auth.role", "@request.auth.level", "@request.auth.verified", "@request.auth.email:lower",
		"@request.auth.friends", "@request.auth.friends:each", "@request.auth.friends:length", "@request.auth.friends.role",
		"@request.auth.org", "@request.auth.org.name", "@request.auth.prefs.a", "@request.auth.prefs", "@request.auth.posts_via_author.title",
		"@request.auth.collectionId", "@request.auth.none", "@request.method", "@request.context",
		"@request.query.a", "@request.query.none", "@request.query.a:isset", "@request.headers.h",
		"@request.body.title", "@request.body.num", "@request.body.none", "@request.body.tags:each", "@request.body.tags:length",
		"@request.body.title:changed", "@request.body.num:changed", "@request.body.js.a", "@request.body.title:isset",
		"@request.body.author.role", "@request.body.editors.level", "@request.body.editors",
		"@collection.comments.text", "@collection.comments.post", "@collection.comments:x.n", "@collection.people.friends.role",
		`strftime("%Y-%m", day)`, `strftime("%d", day, "+1 day")`, `strftime("%H:%M", comments_via_post.text)`,
		"@year", "@todayStart", "true", "false", "null",
	}
	families = [][]string{
		{"comments_via_post.text", "comments_via_post.n", "comments_via_post.id"},
		{"editors.role", "editors.level", "editors.friends.level", "editors.id"},
		{"tags:each"},
		{"tagged_via_posts.note", "tagged_via_posts.posts:each", "tagged_via_posts.posts.num"},
		{"@collection.comments.text", "@collection.comments.post", "@collection.comments.n"},
		{"@request.auth.friends.role", "@request.auth.friends.level"},
	}
	operators = []string{"=", "!=", ">", ">=", "<", "<=", "~", "!~", "?=", "?!=", "?>", "?>=", "?<", "?<=", "?~", "?!~"}
)

func (r Random) operand() string {
	switch n := r.IntN(10); {
	case n < 6:
		return Pick(r, paths)
	case n < 9:
		return Quoted(Pick(r, append(texts, "u1", "p1", "admin", "%")))
	}
	return fmt.Sprint(Pick(r, []string{"1", "0", "10", "1.5", "-1.5", "2"}))
}

// Quoted writes a text as the language reads it.
func Quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Rule is a rule of collection posts, with lists of comparisons depth deep.
func (r Random) Rule(depth int) string {
	if r.IntN(4) == 0 {
		// Two comparisons that mean the same related record.
		f := Pick(r, families)
		side := func() string {
			return Pick(r, f) + " ?" + Pick(r, []string{"=", "!=", ">", "<", "~"}) + " " + r.operand()
		}
		return side() + Pick(r, []string{" && ", " && ", " || "}) + side()
	}
	if depth == 0 || r.IntN(3) == 0 {
		return r.operand() + " " + Pick(r, operators) + " " + r.operand()
	}
	var b strings.Builder
	for i := range 1 + r.IntN(3) {
		if i > 0 {
			b.WriteString(Pick(r, []string{" && ", " || "}))
		}
		if r.IntN(3) == 0 {
			b.WriteString("(" + r.Rule(depth-1) + ")")
			continue
		}
		b.WriteString(r.Rule(0))
	}
	return b.String()
}

// Request is what some caller of the world may send.
func (r Random) Request(w *World) *pando.Request {
	req := &pando.Request{Method: "PATCH", Context: "default", Body: map[string]any{}}
	if r.IntN(3) > 0 {
		people := w.Of(w.Collection("people"))
		req.Auth = Pick(r, people)
	}
	query := map[string]string{"a": Pick(r, texts)}
	req.Query = func(k string) (string, bool) { s, ok := query[k]; return s, ok }
	for key, v := range map[string]any{
		"title": Pick(r, texts), "num": Pick(r, numbers), "tags": r.ids("x"), "js": map[string]any{"a": Pick(r, texts)},
		"author": r.maybe(r.id("u")), "editors": r.ids("u"),
	} {
		if r.IntN(2) == 0 {
			req.Body[key] = v
		}
	}
	return req
}
