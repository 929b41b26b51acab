package sqlgen_test

import (
	"context"
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

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// FuzzAgree asks the evaluator, SQLite and PostgreSQL the same.
func FuzzAgree(f *testing.F) {
	for i := range uint64(60) {
		f.Add(uint8(i), i*7919)
	}
	type place struct {
		w *ruletest.World
		e []*engine
	}
	var places [16]place
	for i := range places {
		w := ruletest.RandomWorld(f, uint64(i))
		places[i] = place{w, engines(f, w)}
	}
	f.Fuzz(func(t *testing.T, seed uint8, n uint64) {
		p := places[int(seed)%len(places)]
		r := ruletest.NewRandom(n, 2)
		for range 20 {
			agree(t, p.w, p.e, r)
		}
	})
}

func agree(t *testing.T, w *ruletest.World, engines []*engine, r ruletest.Random) {
	t.Helper()
	c := w.Collection("posts")
	text := r.Rule(2)
	compiled, err := rule.Compile(text, rule.Scope{Schema: w, Collection: c, Client: r.IntN(4) == 0})
	if err != nil {
		return
	}
	q := ruletest.Question{Collection: c, Rule: compiled, Request: r.Request(w), Now: noon}
	if r.IntN(5) == 0 {
		q.Virtual = ruletest.Pick(r, w.Of(c)).Clone()
		q.Virtual.Set("id", "new")
	}
	agreed(t, w, engines, text, q)
	if t.Failed() {
		t.FailNow()
	}
}

var sortPaths = []string{
	"id", "title", "num", "flag", "day", "sel", "tags", "js", "geo", "author", "editors", "title:lower", "num:lower", "tags:each", "tags:length",
	"js.a", "js.b.1", "geo.lon", "author.role", "author.org.rank", "author.prefs.a", "author.friends.role", "editors.role", "editors.level",
	"editors.org.name", "editors:each", "comments_via_post.text", "comments_via_post.n", "tagged_via_posts.note", "tagged_via_posts.posts:each",
	"metas_via_post.note", "@rowid",
}

// FuzzSort asks SQLite and PostgreSQL for the same order.
func FuzzSort(f *testing.F) {
	for i := range uint64(40) {
		f.Add(uint8(i), i*7919)
	}
	var worlds [8]*ruletest.World
	var places [8][]*engine
	for i := range worlds {
		worlds[i] = ruletest.RandomWorld(f, uint64(100+i))
		places[i] = engines(f, worlds[i])
	}
	f.Fuzz(func(t *testing.T, seed uint8, n uint64) {
		w, all, r := worlds[int(seed)%len(worlds)], places[int(seed)%len(worlds)], ruletest.NewRandom(n, 4)
		for range 10 {
			text := ""
			for i := range 1 + r.IntN(3) {
				text += strings.Repeat(",", min(i, 1)) + strings.Repeat("-", r.IntN(2)) + ruletest.Pick(r, sortPaths)
			}
			c := w.Collection("posts")
			keys, err := rule.CompileSort(text, rule.Scope{Schema: w, Collection: c, Client: r.IntN(4) == 0})
			if err != nil {
				continue
			}
			q := ruletest.Question{Collection: c, Sort: keys, Request: r.Request(w), Now: noon}
			want, err := all[0].Find(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			got, err := all[1].Find(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				st, _ := sqlgen.Select(all[1].d, store.Query{Collection: c, IDsOnly: true, Sort: keys, Request: q.Request}, noon)
				t.Fatalf("sort %s\n%s %v\n%s %v\n%s", text, all[0].name, want, all[1].name, got, st.SQL)
			}
		}
	})
}

// FuzzQuery makes sure that no text of a user becomes part of the SQL, wherever
// it stands.
func FuzzQuery(f *testing.F) {
	f.Add("x", uint64(1))
	f.Add(`'; DROP TABLE posts; --`, uint64(2))
	f.Add("\"`]?%\\", uint64(3))
	w := ruletest.RandomWorld(f, 3)
	all := engines(f, w)
	const mark = "zqzq"
	f.Fuzz(func(t *testing.T, s string, n uint64) {
		r := ruletest.NewRandom(n, 3)
		value := mark + s
		text := strings.NewReplacer(`"a"`, ruletest.Quoted(value), `"b"`, ruletest.Quoted(s+mark), "js.a.b", "js."+mark, `"%Y-%m"`, ruletest.Quoted(value)).Replace(r.Rule(3))
		c := w.Collection("posts")
		compiled, err := rule.Compile(text, rule.Scope{Schema: w, Collection: c})
		if err != nil {
			return
		}
		req := r.Request(w)
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
		for _, e := range all {
			st, err := sqlgen.Select(e.d, q, noon)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if strings.Contains(st.SQL, mark) {
				t.Fatalf("%s: the text is in the SQL: %s", text, st.SQL)
			}
			if _, err := e.query(context.Background(), q, noon); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	})
}
