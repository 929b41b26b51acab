package sqlgen_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// TestNumbers compares how PostgreSQL shows and orders numbers with what the
// language says.
func TestNumbers(t *testing.T) {
	e := openPostgres(t, emptyWorld(t))
	r := rand.New(rand.NewPCG(1, 2))
	numbers := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 123, 1e15, 1e14, 999999999999999, 1e16, 1e-4, 1e-5, 1e-6, 1e-7, 0.00012345, 1e100, 1.5e300,
		123456789012345680, 1.0 / 3, math.MaxFloat64, 5e-324, 100, 1e22, -2.5e-7, 9.95e27, 9.9999999999999999e22, 0.00099, 9223372036854775807,
		9223372036854774784, -9223372036854775808, 9007199254740993, 2e-308, 4.5e-300, math.Inf(1), math.Inf(-1)}
	for range 1500 {
		f := math.Float64frombits(r.Uint64())
		if !math.IsNaN(f) {
			numbers = append(numbers, f)
		}
		numbers = append(numbers, r.Float64()*1000, float64(r.IntN(1e9))/100, float64(r.Int64()))
	}
	got, err := e.run(t.Context(), "SELECT _pando.number_text(x) || ' ' || _pando.real_text(x) FROM unnest($1::float8[]) WITH ORDINALITY AS u(x, n) ORDER BY n", numbers)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range numbers {
		if want := rule.Number(f).String() + " " + rule.Real(f).String(); got[i] != want {
			t.Errorf("%g: %s, want %s", f, got[i], want)
		}
	}
	inOrder := slices.Clone(numbers)
	slices.Sort(inOrder)
	byKey, err := e.run(t.Context(), `SELECT x::text FROM unnest($1::float8[]) AS u(x) ORDER BY _pando.number_key(x) COLLATE "C"`, numbers)
	if err != nil {
		t.Fatal(err)
	}
	byValue, err := e.run(t.Context(), "SELECT x::text FROM unnest($1::float8[]) WITH ORDINALITY AS u(x, n) ORDER BY u.x", inOrder)
	if err != nil {
		t.Fatal(err)
	}
	for i := range byKey {
		if byKey[i] != byValue[i] && byKey[i] != "-0" && byValue[i] != "-0" {
			t.Fatalf("by key %s is at %d, by value %s", byKey[i], i, byValue[i])
		}
	}
}

// hostile are texts that PostgreSQL cannot hold or chokes on, and their
// neighbours.
var hostile = []string{
	"", "a", "a\x00b", "\x00", "a\x01", "\xff", "a\xffb", "a\xc3", "é", "\xed\xa0\x80", "\ufffd", "\U0010ffff", `\`, `a\`, `%\`, `\\`, `a%\%`, "'", `"`, "?", "$1",
	"9223372036854775807", "9223372036854775808", "9007199254740993", "1e999", "-1e999", "1e-999", " 1 ", "0x1", "1e", "+.5", "1_0", "Infinity", "NaN", "nan",
	"now", "2026-01-02", "2026-01-02 03:04:05.678Z", "2026-01-02 03:04:05.6781Z", "2026-02-30 00:00:00.000Z", "0000-01-02 00:00:00.000Z", "9999-12-31 23:59:59.999Z", "zzz", "-", "0000", "{}", "[]", `["a"]`,
}

// TestHostile asks about values that a database cannot hold. SQLite is not asked:
// it takes what follows a NUL for no part of a pattern, and keeps halves of
// surrogate pairs. What no column can hold is like nothing and no item of a list
// either, and there the evaluator, which knows the request's own bytes, differs.
func TestHostile(t *testing.T) {
	script, err := ruletest.Parse(`
collection posts base
  title text
  num number
  flag bool
  day date
  at autodate
  tags select many
  js json
  geo geoPoint
  index CREATE INDEX i_title ON posts (title COLLATE NOCASE)
  index CREATE INDEX i_day ON posts (day)
record posts p1 {"title":"a","num":1,"flag":true,"day":"2026-01-02 03:04:05.678Z","tags":["a","é<&>"],"js":{"a":"a","b":1}}
record posts p2 {"title":"","num":0}
record posts p3 {"title":"a\\","num":9007199254740992,"day":"0000-01-02 00:00:00.000Z","js":{"a":9007199254740993,"a":2}}
record posts p4 {"title":"�","num":-1.5,"day":"9999-12-31 23:59:59.999Z","js":{"a":"x\u0000y"}}
record posts p5 {"title":"10","num":9223372036854775807,"js":{ "a" : [ 1, "x y" ] , "\u0062":1.0}}
record posts p6 {"title":"2026-01-02","num":0.1,"js":"\ud800"}
record posts p7 {"title":"1e1","num":1e300,"js":-0}
record posts p8 {"title":"\u0001","num":5e-324,"js":{"a":9223372036854775807,"b":9223372036854775808}}
record posts p9 {"title":"now","num":-9223372036854775808,"js":[1.50,{"a":null}]}
rule posts id = id
=> p1`, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := script.World
	c := w.Collections[0]
	e := openPostgres(t, w)
	for _, left := range []string{"title", "num", "flag", "day", "tags", "tags:each", "tags:length", "js", "js.a", "js.b", "geo", "geo.lon", "title:lower", `strftime("%Y", day)`, "@request.body.tags:each"} {
		for _, op := range []string{"=", "!=", "<", "<=", ">", ">=", "~", "!~", "?=", "?!="} {
			body := left == "@request.body.tags:each"
			text := left + " " + op + " @request.query.a"
			if body {
				text = left + " " + op + " title"
			}
			r, err := rule.Compile(text, rule.Scope{Schema: w, Collection: c})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			for _, value := range hostile {
				q := ruletest.Question{Collection: c, Rule: r, Now: noon, Request: &pando.Request{
					Query: func(string) (string, bool) { return value, true },
					Body:  map[string]any{"tags": []any{value, 1.0, "a"}},
				}}
				if !sqlgen.PostgresHolds(value) && (body || strings.HasSuffix(op, "~")) {
					if _, err := e.Find(t.Context(), q); err != nil {
						t.Errorf("%s (%q): %v", text, value, err)
					}
					continue
				}
				agreed(t, w, []*engine{e}, text+fmt.Sprintf(" (%q)", value), q)
			}
		}
	}
	for _, value := range hostile {
		for _, m := range []store.Match{{Field: "id", Value: value}, {Field: "title", Value: value, NoCase: true}, {Field: "tags", Value: value}, {Field: "tags", Value: value, NoCase: true}} {
			for _, q := range []store.Query{{Collection: c, Match: []store.Match{m}}, {Collection: c, After: value}} {
				q.IDsOnly = true
				if _, err := e.query(t.Context(), q, noon); err != nil {
					t.Errorf("%q: %v", value, err)
				}
			}
		}
	}
}

// agreed asks the evaluator and all databases one question.
func agreed(t *testing.T, w *ruletest.World, all []*engine, text string, q ruletest.Question) {
	t.Helper()
	want, err := ruletest.Memory(nil, w).Find(context.Background(), q)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, e := range all {
		got, err := e.Find(context.Background(), q)
		if err != nil {
			t.Errorf("%s: %s: %v", e.name, text, err)
			continue
		}
		if !slices.Equal(got, want) {
			st, _ := sqlgen.Select(e.d, store.Query{
				Collection: q.Collection, Virtual: q.Virtual, IDsOnly: true,
				Where: []store.Condition{{Rule: q.Rule, Request: q.Request, Now: q.Now}},
			}, noon)
			t.Errorf("rule      %s\nevaluator %v\n%-9s %v\n%s\n%v", text, want, e.name, got, st.SQL, st.Args)
		}
	}
}
