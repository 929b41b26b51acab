package sqlgen_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// crowded is the world of the plans with more in it, on tables large enough that
// a scan is no plan.
const crowded = indexed + `
collection tagged base
  posts relation many posts
  note text
  index CREATE INDEX i_tagged ON tagged (posts)
collection events base
  title text
  day date
  code text
  tags select many
  index CREATE INDEX i_day ON events (day DESC)
  index CREATE UNIQUE INDEX i_code ON events (code COLLATE NOCASE) WHERE code != ''
  index CREATE INDEX i_tags ON events (tags)
  index CREATE INDEX i_lower ON events (lower(title))
`

var crowd = []string{
	`INSERT INTO people (id, role, org) SELECT 'u' || n, 'r' || n % 50, 'o' || n % 20 FROM generate_series(2, 2000) n`,
	`INSERT INTO posts (id, title, owner, editors, num, data, created) SELECT 'p' || n, 'title ' || n, 'u' || n % 2000, ARRAY['u' || n % 1999, 'u' || n % 1998], n,
		json_build_object('a', n, 'b', json_build_object('c', 'x' || n), 'k', n), '2020-01-01'::timestamptz + n * interval '1 hour' FROM generate_series(1, 20000) n`,
	`INSERT INTO comments (id, post, by, text) SELECT 'c' || n, 'p' || n / 2, 'u' || n % 2000, 'text ' || n FROM generate_series(1, 20000) n`,
	`INSERT INTO members (id, "user", post) SELECT 'm' || n, 'u' || n % 2000, 'p' || n FROM generate_series(1, 20000) n`,
	`INSERT INTO tagged (id, posts, note) SELECT 't' || n, ARRAY['p' || n, 'p' || n + 1], 'note ' || n FROM generate_series(1, 20000) n`,
	`INSERT INTO events (id, title, day, code, tags) SELECT 'e' || n, 'Title ' || n, '2020-01-01'::timestamptz + n * interval '1 hour', 'Code' || n, ARRAY['t' || n % 1000] FROM generate_series(1, 20000) n`,
	`ANALYZE`,
}

// TestPostgresPlans holds rules to the plans that they are written for, for
// values that the planner knows and for a prepared statement's that it does not.
func TestPostgresPlans(t *testing.T) {
	script, err := ruletest.Parse(crowded+"rule posts id = id\n=>", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := script.World
	e := openPostgres(t, w)
	for _, sql := range crowd {
		e.exec(t, sql)
	}
	for _, tc := range []struct {
		of, rule, sort string
		match          store.Match
		want, not      string // parts of the plan, by |
		off            string // what is not to be chosen although the tables are small
	}{
		{rule: `id = "p1"`, want: "Index Scan using posts_pkey|Index Cond: (id = 'p1'::text)"},
		{rule: `owner = @request.auth.id`, want: "Index Cond: (owner = 'u1'::text)", not: "Seq Scan"},
		{rule: `@request.auth.id != "" && owner = @request.auth.id`, want: "Index Cond: (owner = 'u1'::text)", not: "Seq Scan"},
		{rule: `owner.id = @request.auth.id`, want: "Index Cond: (owner = 'u1'::text)", not: "Seq Scan"},
		{rule: `@request.auth.id = owner && title != ""`, want: "Index Cond: (owner = 'u1'::text)", not: "Seq Scan"},
		{rule: `owner = @request.auth.id || id = "x"`, want: "BitmapOr", not: "Seq Scan"},
		{rule: `owner = ""`, want: "Index Cond: (owner = ''::text)", not: "Seq Scan"},
		{rule: `num > 5 && num <= 10`, want: "using i_num|Index Cond: ((num > '5'::double precision) AND (num <= '10'::double precision))", not: "Seq Scan"},
		{rule: `num = 7`, want: "i_num|Index Cond: (num = '7'::double precision)", not: "Seq Scan"},
		{rule: `created >= @todayStart`, sort: `-created`, want: "Index Scan Backward using i_created|Index Cond: (COALESCE(created", not: "Sort"},
		{rule: `created < "2020-02-01"`, sort: `-created`, want: "Index Scan Backward using i_created|Index Cond: (COALESCE(created", not: "Sort"},
		{rule: `created > "2020-02-01" && created < "2020-02-02"`, want: "i_created|Index Cond: ((COALESCE(created", not: "Seq Scan"},
		{rule: `data.a = 5`, want: "i_a|Index Cond: ((_pando.json_key(data, '{a}'::text[]))::text = ", not: "Seq Scan"},
		{rule: `data.a > 19990`, sort: `data.a`, want: "Index Scan using i_a|Index Cond: ((_pando.json_key(data", not: "Sort"},
		{rule: `data.b.c = "x5"`, want: "i_b|Index Cond: ((_pando.json_key(data, '{b,c}'", not: "Seq Scan"},
		{rule: `data.k = 3`, want: "i_k|Index Cond: ((_pando.json_key(data, '{k}'", not: "Seq Scan"},
		{sort: `data.a`, want: "Index Scan using i_a", not: "Sort"},
		{sort: `-data.a`, want: "Incremental Sort|Index Scan Backward using i_a"}, // ties stand oldest first here
		{sort: `-created`, want: "Index Scan Backward using i_created", not: "Sort"},
		{sort: `created`, want: "Index Scan using i_created", not: "Sort"},
		{sort: `num`, want: "Index Scan using i_num", not: "Sort"},
		{sort: `@rowid`, want: "_pando_row", not: "Sort"},
		{rule: `owner = @request.auth.id`, sort: `created`, want: "Index Scan using i_pair|Index Cond: (owner = ", not: "Sort", off: "sort bitmapscan"},
		{want: "Index Scan using posts__pando_row_key", not: "Sort"},
		{rule: `comments_via_post.by ?= "u77"`, want: "posts_pkey", not: "Seq Scan on posts"},
		{rule: `id = "p7" && comments_via_post.text != "x"`, want: "Index Cond: (post = |posts_pkey", not: "Seq Scan"},
		{rule: `id = "p7" && tagged_via_posts.note ?= "x"`, want: "Bitmap Index Scan on i_tagged|Index Cond: (posts @> ", not: "Seq Scan", off: "seqscan"},
		{rule: `id = "p7" && editors.role ?= "admin"`, want: "people_pkey|Index Cond: (id = j", not: "Seq Scan", off: "seqscan"},
		{rule: `id = "p7" && owner.role = "admin"`, want: "people_pkey|posts_pkey", not: "Seq Scan"},
		{rule: `id = "p7" && @collection.members.user ?= @request.auth.id && @collection.members.post ?= id`, want: "i_user|Index Cond: ((\"user\" = ", not: "Seq Scan"},
		{of: "events", rule: `tags:each ?= "t5"`, want: "Bitmap Index Scan on i_tags|Index Cond: (tags @> ", not: "Seq Scan"},
		{of: "events", rule: `title:lower = "title 5"`, want: "i_lower|Index Cond: (lower(title) = ", not: "Seq Scan"},
		{of: "events", sort: `-day`, want: "Index Scan using i_day", not: "Sort"},
		{of: "events", sort: `day`, want: "Index Scan Backward using i_day", not: "Sort"},
		{of: "events", match: store.Match{Field: "id", Value: "e1"}, want: "events_pkey", not: "Seq Scan"},
		{of: "events", rule: `code != ""`, match: store.Match{Field: "code", Value: "CODE5", NoCase: true}, want: "i_code|Index Cond: (lower(code) = ", not: "Seq Scan"},
	} {
		if tc.of == "" {
			tc.of = "posts"
		}
		t.Run(tc.of+" "+tc.rule+" sort "+tc.sort, func(t *testing.T) {
			c := w.Collection(tc.of)
			q := store.Query{Collection: c, Limit: 30}
			scope := rule.Scope{Schema: w, Collection: c}
			if q.Sort, err = rule.CompileSort(tc.sort, scope); err != nil {
				t.Fatal(err)
			}
			if tc.rule != "" {
				r, err := rule.Compile(tc.rule, scope)
				if err != nil {
					t.Fatal(err)
				}
				q.Where = []store.Condition{{Rule: r, Request: &pando.Request{Auth: w.Records[0]}, Now: noon}}
			}
			if tc.match.Field != "" {
				q.Match = []store.Match{tc.match}
			}
			st, err := sqlgen.Select(sqlgen.Postgres, q, noon)
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range strings.Fields(tc.off) {
				e.exec(t, "SET enable_"+way+" = off")
				defer e.exec(t, "RESET enable_"+way)
			}
			for _, generic := range []bool{false, true} {
				plan := e.planOf(t, st, generic)
				for _, want := range strings.Split(tc.want, "|") {
					if generic { // the values are not in it
						want, _, _ = strings.Cut(want, " '")
					}
					if !strings.Contains(plan, want) {
						t.Errorf("generic %t: want %q in\n%s\n%s", generic, want, plan, st.SQL)
					}
				}
				if tc.not != "" && strings.Contains(plan, tc.not) {
					t.Errorf("generic %t: do not want %q in\n%s\n%s", generic, tc.not, plan, st.SQL)
				}
			}
		})
	}
}

var place = regexp.MustCompile(`\$\d+`)

// planOf explains a statement with its values, or as a prepared one for any.
func (e *engine) planOf(t *testing.T, st sqlgen.Statement, generic bool) string {
	t.Helper()
	mode, args := "force_custom_plan", make([]string, len(st.Args))
	if generic {
		mode = "force_generic_plan"
	}
	for i, v := range st.Args {
		args[i] = fmt.Sprintf("'%v'", v)
		if list, ok := v.([]string); ok {
			args[i] = "'{" + strings.Join(list, ",") + "}'"
		}
	}
	call := ""
	if len(args) > 0 {
		call = "(" + strings.Join(args, ", ") + ")"
	}
	if n := len(place.FindAllString(st.SQL, -1)); n != len(args) {
		t.Fatalf("%d places for %d values: %s", n, len(args), st.SQL)
	}
	e.exec(t, "SET plan_cache_mode = "+mode)
	e.exec(t, "PREPARE q AS "+st.SQL)
	lines, err := e.run(t.Context(), "EXPLAIN (COSTS OFF) EXECUTE q"+call)
	if err != nil {
		t.Fatalf("%s: %v", st.SQL, err)
	}
	e.exec(t, "DEALLOCATE q")
	return strings.Join(lines, "\n")
}
