package rule_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
)

const small = `
collection orgs base
  name text
collection people auth
  role text
  org relation orgs
collection admins auth
  level number
collection posts base
  title text
  day date
  author relation people
  tags select many
collection comments base
  post relation posts
  text text
collection v view
  title text
  query SELECT id, title FROM posts
record orgs o1 {"name":"acme"}
record people u1 {"role":"admin","org":"o1"}
record admins a1 {"level":3}
record posts p1 {"title":"x","author":"u1","tags":["a"]}
rule posts id = id
=> p1
`

func parseSmall(t testing.TB) *ruletest.World {
	t.Helper()
	script, err := ruletest.Parse(small, nil)
	if err != nil {
		t.Fatal(err)
	}
	return script.World
}

func TestAccessors(t *testing.T) {
	w := parseSmall(t)
	for _, tc := range []struct {
		collection, rule string
		local, volatile  bool
		inputs, reads    string
	}{
		{"posts", `title = "x"`, true, false, "", "posts"},
		{"posts", `@request.auth.id != "" && author = @request.auth.id`, true, false, "auth.id", "posts"},
		{"posts", `author.id = @request.auth.id`, true, false, "auth.id", "posts"},
		{"posts", `tags:each ?= @request.query.tag && @request.method = "GET"`, true, false, "method query.tag", "posts"},
		{"posts", `@request.body.title:changed = false`, true, false, "body.title body.title:isset", "posts"},
		{"posts", `@request.body.tags:each ?= "a" || @request.headers.x:isset = true`, true, false, "body.tags headers.x:isset", "posts"},
		{"posts", `@request.auth.role = "admin"`, true, false, "auth.collectionId auth.role", "posts"},
		{"posts", `@request.auth.org = title`, true, false, "auth.collectionId auth.org", "posts"},
		{"posts", `@request.auth.org.name = title`, false, false, "auth.collectionId auth.org", "posts orgs"},
		{"posts", `author.role = "admin"`, false, false, "", "posts people"},
		{"posts", `author.org.name = "admin"`, false, false, "", "posts people orgs"},
		{"posts", `comments_via_post.text ?= "x"`, false, false, "", "posts comments"},
		{"posts", `@collection.orgs.name ?= title`, false, false, "", "posts orgs"},
		{"posts", `@request.body.author.role = "x"`, false, false, "body.author", "posts people"},
		{"posts", `@request.auth.comments_via_post.text = "x"`, true, false, "auth.collectionId", "posts"},
		{"posts", `@request.auth.posts_via_author.title = "x"`, false, false, "auth.collectionId auth.id", "posts"},
		{"posts", `day < @now`, true, true, "", "posts"},
		{"posts", `strftime("%Y", day) = "2026"`, true, false, "", "posts"},
		{"posts", `strftime("%Y", "now") = "2026"`, true, true, "", "posts"},
		{"posts", `strftime("%Y", title) = "2026"`, false, true, "", "posts"},
		{"v", `title = "x"`, false, false, "", "v"},
		{"v", `@request.auth.id != ""`, true, false, "auth.id", "v"},
	} {
		r, err := rule.Compile(tc.rule, rule.Scope{Schema: w, Collection: w.Collection(tc.collection)})
		if err != nil {
			t.Errorf("%s: %v", tc.rule, err)
			continue
		}
		if r.Local() != tc.local || r.Volatile() != tc.volatile {
			t.Errorf("%s: local %t, volatile %t", tc.rule, r.Local(), r.Volatile())
		}
		if diff := cmp.Diff(tc.inputs, strings.Join(r.Inputs(), " ")); diff != "" {
			t.Errorf("%s: inputs %s", tc.rule, diff)
		}
		var reads []string
		for _, c := range r.Reads() {
			reads = append(reads, c.Name)
		}
		if diff := cmp.Diff(tc.reads, strings.Join(reads, " ")); diff != "" {
			t.Errorf("%s: reads %s", tc.rule, diff)
		}
	}
}

func TestAppendInputs(t *testing.T) {
	w := parseSmall(t)
	r, err := rule.Compile(`title = @request.query.a || title = @request.query.b || author = @request.auth.role`,
		rule.Scope{Schema: w, Collection: w.Collection("posts")})
	if err != nil {
		t.Fatal(err)
	}
	query := func(kv ...string) *pando.Request {
		return &pando.Request{Query: func(k string) (string, bool) {
			for i := 0; i < len(kv); i += 2 {
				if kv[i] == k {
					return kv[i+1], true
				}
			}
			return "", false
		}}
	}
	as := func(req *pando.Request, rec *pando.Record) *pando.Request {
		req.Auth = rec
		return req
	}
	people, admins := w.Of(w.Collection("people"))[0], w.Of(w.Collection("admins"))[0]
	seen := map[string]int{}
	for i, req := range []*pando.Request{
		query(), query("a", ""), query("a", "x"), query("b", "x"), query("a", "x", "b", ""), query("a", "1:x", "b", "y"),
		query("a", "1", "b", "x1:y"), as(query(), people), as(query(), admins), nil,
	} {
		key := string(r.AppendInputs(nil, req))
		if j, ok := seen[key]; ok && !(req == nil && j == 0) {
			t.Errorf("requests %d and %d have one key: %q", i, j, key)
		}
		seen[key] = i
	}
}

func TestClientErrors(t *testing.T) {
	w := parseSmall(t)
	scope := rule.Scope{Schema: w, Collection: w.Collection("posts"), Client: true}
	for text, want := range map[string]pando.Kind{
		`@request.auth.id = ""`:   pando.KindForbidden,
		`title = "@collection.x"`: pando.KindForbidden,
		`zz = 1`:                  pando.KindInvalid,
		`title = "` + strings.Repeat("x", 3500) + `"`:          pando.KindInvalid,
		`title = "@request.` + strings.Repeat("x", 4000) + `"`: pando.KindForbidden,
	} {
		if _, err := rule.Compile(text, scope); err == nil || pando.KindOf(err) != want {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	_, err := rule.Compile(`@request.auth.id = ""`, scope)
	if e, ok := err.(*pando.Error); !ok || e.Message != "Only superusers can filter by @request." {
		t.Errorf("message: %v", err)
	}
	_, err = rule.Compile(`zz = 1`, scope)
	if e, ok := err.(*pando.Error); !ok || e.Err.Error() != `invalid left operand "zz" - unknown field "zz"` {
		t.Errorf("cause: %v", err)
	}
}

func TestNoSource(t *testing.T) {
	w := parseSmall(t)
	posts := w.Collection("posts")
	r, err := rule.Compile(`author.role = "admin"`, rule.Scope{Schema: w, Collection: posts})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := r.Match(context.Background(), rule.Env{}, w.Of(posts)[0]); ok || err == nil {
		t.Errorf("without a source: %t, %v", ok, err)
	}
}

func BenchmarkCompile(b *testing.B) {
	w := parseSmall(b)
	scope := rule.Scope{Schema: w, Collection: w.Collection("posts")}
	for _, text := range []string{
		`@request.auth.id != "" && author = @request.auth.id`,
		`author.org.name = "acme" || comments_via_post.text ?= "x"`,
	} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rule.Compile(text, scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	w := parseSmall(b)
	posts := w.Collection("posts")
	rec := w.Of(posts)[0]
	env := rule.Env{Request: &pando.Request{Auth: w.Of(w.Collection("people"))[0]}, Now: time.Now()}
	for _, text := range []string{
		`@request.auth.id != "" && author = @request.auth.id`,
		`title ~ "X" && author != ""`,
		`tags:each ?= "a"`,
		`@request.auth.role = "admin"`,
	} {
		b.Run(text, func(b *testing.B) {
			r, err := rule.Compile(text, rule.Scope{Schema: w, Collection: posts})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := r.Match(context.Background(), env, rec); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// TestMatchAllocates holds the rules that production evaluates for each record
// to no allocation at all.
func TestMatchAllocates(t *testing.T) {
	w := parseSmall(t)
	posts := w.Collection("posts")
	rec := w.Of(posts)[0]
	env := rule.Env{Request: &pando.Request{Auth: w.Of(w.Collection("people"))[0]}, Now: time.Now()}
	for _, text := range []string{
		`@request.auth.id != "" && author = @request.auth.id`,
		`title ~ "X" && author != ""`,
		`@request.auth.role = "admin"`,
	} {
		r, err := rule.Compile(text, rule.Scope{Schema: w, Collection: posts})
		if err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(100, func() {
			if ok, err := r.Match(context.Background(), env, rec); !ok || err != nil {
				t.Fatal(ok, err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}
