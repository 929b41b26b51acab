package sqlgen_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

const indexed = `
collection people auth
  role text
  org text
collection posts base
  title text
  owner relation people
  editors relation many people
  num number
  data json
  created autodate
  index CREATE INDEX i_owner ON posts (owner)
  index CREATE INDEX i_created ON posts (created)
  index CREATE INDEX i_num ON posts (num)
  index CREATE INDEX i_pair ON posts (owner, created)
  index CREATE INDEX i_a ON posts (json_extract(data, '$.a'))
  index CREATE INDEX i_b ON posts (data->>'$.b.c')
  index CREATE INDEX i_k ON posts (data ->> 'k')
collection comments base
  post relation posts
  by relation people
  text text
  index CREATE INDEX i_post ON comments (post)
collection members base
  user relation people
  post relation posts
  index CREATE INDEX i_user ON members (user, post)
record people u1 {"role":"admin","org":"o1"}
`

// TestPlans holds rules to the plans that they are written for. Each want is a
// part of a line of EXPLAIN QUERY PLAN, each not a part of none.
func TestPlans(t *testing.T) {
	for _, tc := range []struct {
		rule, sort string
		want, not  string
	}{
		{rule: `id = "p1"`, want: "SEARCH t USING INDEX sqlite_autoindex_posts_1 (id=?)"},
		{rule: `owner = @request.auth.id`, want: "SEARCH t USING INDEX i_owner (owner=?)"},
		{rule: `@request.auth.id != "" && owner = @request.auth.id`, want: "SEARCH t USING INDEX i_owner (owner=?)"},
		{rule: `owner.id = @request.auth.id`, want: "SEARCH t USING INDEX i_owner (owner=?)"},
		{rule: `@request.auth.id = owner && title != ""`, want: "SEARCH t USING INDEX i_owner (owner=?)"},
		{rule: `owner = @request.auth.org`, want: "SEARCH t USING INDEX i_owner (owner=?)"},
		{rule: `owner = @request.auth.id || id = "x"`, want: "MULTI-INDEX OR"},
		{rule: `@request.auth.role = "admin" || owner = @request.auth.id`, want: "SCAN t"},
		{rule: `@request.auth.role = "user" || owner = @request.auth.id`, want: "SEARCH t USING INDEX i_owner (owner=?)"},
		{rule: `num > 5 && num <= 10`, want: "SEARCH t USING INDEX i_num (num>? AND num<?)"},
		{rule: `created >= @todayStart`, sort: `-created`, want: "SEARCH t USING INDEX i_created (created>?)"},
		{rule: `data.a = "x"`, want: "USING INDEX i_a (<expr>=?)"},
		{rule: `data.a > 5`, sort: `data.a`, want: "USING INDEX i_a (<expr>>?)"},
		{rule: `data.b.c = "x"`, want: "USING INDEX i_b (<expr>=?)"},
		{rule: `data.k = 3`, want: "USING INDEX i_k (<expr>=?)"},
		{sort: `data.a`, want: "SCAN t USING INDEX i_a", not: "TEMP B-TREE"},
		{sort: `-created`, want: "SCAN t USING INDEX i_created", not: "TEMP B-TREE"},
		{sort: `created`, want: "SCAN t USING INDEX i_created", not: "TEMP B-TREE"},
		{rule: `owner = @request.auth.id`, sort: `-created`, want: "SEARCH t USING INDEX i_pair (owner=?)", not: "TEMP B-TREE"},
		{want: "SCAN t", not: "TEMP B-TREE"},
		{rule: `comments_via_post.by ?= @request.auth.id`, want: "i_post (post=?)"},
		{rule: `comments_via_post.text != "x"`, want: "i_post (post=?)", not: "SCAN j"},
		{rule: `editors.role ?= "admin"`, want: "USING INDEX sqlite_autoindex_people_1 (id=?)"},
		{rule: `owner.role = "admin"`, want: "USING INDEX sqlite_autoindex_people_1 (id=?)"},
		{rule: `@collection.members.user ?= @request.auth.id && @collection.members.post ?= id`, want: "i_user (user=? AND post=?)"},
	} {
		t.Run(tc.rule+" sort "+tc.sort, func(t *testing.T) {
			e, q := plannedQuery(t, tc.rule, tc.sort)
			st, err := sqlgen.Select(sqlgen.SQLite, q, noon)
			if err != nil {
				t.Fatal(err)
			}
			plan := e.explain(t, st)
			if !strings.Contains(plan, tc.want) {
				t.Errorf("want %q in\n%s\n%s", tc.want, plan, st.SQL)
			}
			if tc.not != "" && strings.Contains(plan, tc.not) {
				t.Errorf("do not want %q in\n%s\n%s", tc.not, plan, st.SQL)
			}
		})
	}
}

// plannedQuery asks a database with indexes for posts.
func plannedQuery(t *testing.T, where, sort string) (*engine, store.Query) {
	t.Helper()
	script, err := ruletest.Parse(indexed+"rule posts id = id\n=>", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := script.World
	c := w.Collection("posts")
	q := store.Query{Collection: c, Limit: 30}
	scope := rule.Scope{Schema: w, Collection: c}
	if q.Sort, err = rule.CompileSort(sort, scope); err != nil {
		t.Fatal(err)
	}
	if where != "" {
		r, err := rule.Compile(where, scope)
		if err != nil {
			t.Fatal(err)
		}
		q.Where = []store.Condition{{Rule: r, Request: &pando.Request{Auth: w.Records[0]}, Now: noon}}
	}
	return openSQLite(t, w), q
}

// Rows of known numbers are looked up by them, whatever indexes there are for the
// conditions and for the order.
func TestPlansOfKnownRows(t *testing.T) {
	for _, where := range []string{
		`owner = @request.auth.id`, `num > 5 && created > "2020"`, `owner = @request.auth.id || id = "x"`, `title = "x"`,
		`id = "p1"`, `data.a = "x"`, `comments_via_post.by ?= @request.auth.id`, `owner.role = "admin"`,
	} {
		e, q := plannedQuery(t, where, "-created")
		for name, make := range map[string]func(sqlgen.Dialect, store.Query, time.Time, []int64) (sqlgen.Statement, error){
			"page": sqlgen.PageRows, "among": sqlgen.RowsAmong,
		} {
			st, err := make(sqlgen.SQLite, q, noon, []int64{1, 2, 3})
			if err != nil {
				t.Fatal(err)
			}
			if plan := e.explain(t, st); !strings.Contains(plan, "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)") {
				t.Errorf("%s of %s:\n%s\n%s", name, where, plan, st.SQL)
			}
		}
	}
}

func (e *engine) explain(t *testing.T, st sqlgen.Statement) string {
	t.Helper()
	lines, err := e.run(context.Background(), "EXPLAIN QUERY PLAN "+st.SQL, st.Args...)
	if err != nil {
		t.Fatalf("%s: %v", st.SQL, err)
	}
	return strings.Join(lines, "\n")
}
