package sqlgen_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
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

type picker struct{ *rand.Rand }

func pick[T any](r picker, list []T) T { return list[r.IntN(len(list))] }

func (r picker) id(kind string) string { return fmt.Sprintf("%s%d", kind, 1+r.IntN(4)) }

func (r picker) ids(kind string) []string {
	var out []string
	for range r.IntN(4) {
		out = append(out, r.id(kind))
	}
	return out
}

func (r picker) maybe(s string) string {
	if r.IntN(4) == 0 {
		return ""
	}
	return s
}

// world is a random world of the shapes.
func world(t testing.TB, seed uint64) *ruletest.World {
	script, err := ruletest.Parse(shapes, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, r := script.World, picker{rand.New(rand.NewPCG(seed, 1))}
	add := func(name, id string, values map[string]any) {
		c := w.Collection(name)
		data, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := ruletest.Record(c, string(data))
		if err != nil {
			t.Fatal(err)
		}
		rec.Set("id", id)
		w.Records = append(w.Records, rec)
	}
	for i := 1; i <= r.IntN(4); i++ {
		add("orgs", fmt.Sprintf("o%d", i), map[string]any{"name": pick(r, texts), "rank": pick(r, numbers)})
	}
	for i := 1; i <= 1+r.IntN(3); i++ {
		add("people", fmt.Sprintf("u%d", i), map[string]any{
			"role": pick(r, texts), "level": pick(r, numbers), "org": r.maybe(r.id("o")), "friends": r.ids("u"),
			"email": pick(r, texts), "emailVisibility": r.IntN(2) == 0, "verified": r.IntN(2) == 0,
			"prefs": json.RawMessage(pick(r, documents)),
		})
	}
	for i := 1; i <= 1+r.IntN(4); i++ {
		add("posts", fmt.Sprintf("p%d", i), map[string]any{
			"title": pick(r, texts), "num": pick(r, numbers), "flag": r.IntN(2) == 0,
			"day": r.maybe("2026-0" + fmt.Sprint(1+r.IntN(9)) + "-02 03:04:05.678Z"), "sel": pick(r, texts),
			"tags": []string{pick(r, texts), "a", "b"}[r.IntN(2) : 2+r.IntN(2)], "js": json.RawMessage(pick(r, documents)),
			"geo": pando.GeoPoint{Lon: pick(r, numbers[:5]), Lat: pick(r, numbers[:5])}, "author": r.maybe(r.id("u")), "editors": r.ids("u"),
		})
	}
	for i := 1; i <= r.IntN(5); i++ {
		add("comments", fmt.Sprintf("c%d", i), map[string]any{"post": r.maybe(r.id("p")), "text": pick(r, texts), "n": pick(r, numbers)})
	}
	for i := 1; i <= r.IntN(4); i++ {
		add("tagged", fmt.Sprintf("t%d", i), map[string]any{"posts": r.ids("p"), "note": pick(r, texts)})
	}
	for i := 1; i <= r.IntN(3); i++ {
		add("metas", fmt.Sprintf("m%d", i), map[string]any{"post": fmt.Sprintf("p%d", i), "note": pick(r, texts)})
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
	operators = []string{"=", "!=", ">", ">=", "<", "<=", "~", "!~", "?=", "?!=", "?>", "?>=", "?<", "?<=", "?~", "?!~"}
)

func (r picker) operand() string {
	switch n := r.IntN(10); {
	case n < 6:
		return pick(r, paths)
	case n < 9:
		return quoted(pick(r, append(texts, "u1", "p1", "admin", "%")))
	}
	return fmt.Sprint(pick(r, []string{"1", "0", "10", "1.5", "-1.5", "2"}))
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (r picker) rule(depth int) string {
	if depth == 0 || r.IntN(3) == 0 {
		return r.operand() + " " + pick(r, operators) + " " + r.operand()
	}
	var b strings.Builder
	for i := range 1 + r.IntN(3) {
		if i > 0 {
			b.WriteString(pick(r, []string{" && ", " || "}))
		}
		if r.IntN(3) == 0 {
			b.WriteString("(" + r.rule(depth-1) + ")")
			continue
		}
		b.WriteString(r.rule(0))
	}
	return b.String()
}

func (r picker) request(w *ruletest.World) *pando.Request {
	req := &pando.Request{Method: "PATCH", Context: "default", Body: map[string]any{}}
	if r.IntN(3) > 0 {
		people := w.Of(w.Collection("people"))
		req.Auth = pick(r, people)
	}
	query := map[string]string{"a": pick(r, texts)}
	req.Query = func(k string) (string, bool) { s, ok := query[k]; return s, ok }
	for key, v := range map[string]any{
		"title": pick(r, texts), "num": pick(r, numbers), "tags": r.ids("x"), "js": map[string]any{"a": pick(r, texts)},
		"author": r.maybe(r.id("u")), "editors": r.ids("u"),
	} {
		if r.IntN(2) == 0 {
			req.Body[key] = v
		}
	}
	return req
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// FuzzAgree asks the evaluator and SQLite the same.
func FuzzAgree(f *testing.F) {
	for i := range uint64(200) {
		f.Add(uint8(i), i*7919)
	}
	type place struct {
		w *ruletest.World
		e *engine
	}
	var places [16]place
	for i := range places {
		w := world(f, uint64(i))
		places[i] = place{w, open(f, w)}
	}
	f.Fuzz(func(t *testing.T, seed uint8, n uint64) {
		p := places[int(seed)%len(places)]
		r := picker{rand.New(rand.NewPCG(n, 2))}
		for range 20 {
			agree(t, p.w, p.e, r)
		}
	})
}

func agree(t *testing.T, w *ruletest.World, e *engine, r picker) {
	t.Helper()
	c := w.Collection("posts")
	text := r.rule(2)
	compiled, err := rule.Compile(text, rule.Scope{Schema: w, Collection: c, Client: r.IntN(4) == 0})
	if err != nil {
		return
	}
	q := ruletest.Question{Collection: c, Rule: compiled, Request: r.request(w), Now: noon}
	if r.IntN(5) == 0 {
		q.Virtual = pick(r, w.Of(c)).Clone()
		q.Virtual.Set("id", "new")
	}
	want, err := ruletest.Memory(nil, w).Find(context.Background(), q)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	got, err := e.Find(context.Background(), q)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !slices.Equal(got, want) {
		st, _ := sqlgen.Select(sqlgen.SQLite, store.Query{
			Collection: c, Virtual: q.Virtual, IDsOnly: true,
			Where: []store.Condition{{Rule: compiled, Request: q.Request, Now: q.Now}},
		}, noon)
		t.Fatalf("rule      %s\nevaluator %v\nsqlite    %v\n%s\n%v", text, want, got, st.SQL, st.Args)
	}
}

// FuzzQuery makes sure that no text of a user becomes part of the SQL, wherever
// it stands.
func FuzzQuery(f *testing.F) {
	f.Add("x", uint64(1))
	f.Add(`'; DROP TABLE posts; --`, uint64(2))
	f.Add("\"`]?%\\", uint64(3))
	w := world(f, 3)
	e := open(f, w)
	const mark = "zqzq"
	f.Fuzz(func(t *testing.T, s string, n uint64) {
		r := picker{rand.New(rand.NewPCG(n, 3))}
		value := mark + s
		text := strings.NewReplacer(`"a"`, quoted(value), `"b"`, quoted(s+mark), "js.a.b", "js."+mark, `"%Y-%m"`, quoted(value)).Replace(r.rule(3))
		c := w.Collection("posts")
		compiled, err := rule.Compile(text, rule.Scope{Schema: w, Collection: c})
		if err != nil {
			return
		}
		req := r.request(w)
		req.Query = func(string) (string, bool) { return value, true }
		req.Body["title"], req.Body["tags"], req.Body["author"] = value, []string{value}, value
		q := store.Query{
			Collection: c, IDsOnly: true, After: value, Match: []store.Match{{Field: "title", Value: value}},
			Where: []store.Condition{{Rule: compiled, Request: req, Now: noon}},
		}
		if n%2 == 0 {
			q.Virtual = pando.NewRecord(c)
			q.Virtual.Set("title", value)
			q.Virtual.Set("tags", []string{value})
		}
		st, err := sqlgen.Select(sqlgen.SQLite, q, noon)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if strings.Contains(st.SQL, mark) {
			t.Fatalf("%s: the text is in the SQL: %s", text, st.SQL)
		}
		if _, err := e.query(context.Background(), q, noon); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
