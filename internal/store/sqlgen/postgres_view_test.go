package sqlgen_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
)

// TestViewTypes: a rule of a view works whatever types its query gives.
func TestViewTypes(t *testing.T) {
	script, err := ruletest.Parse(`
collection posts base
  title text
  num number
  flag bool
  day date
  js json
collection sums view
  label text
  word json
  n number
  count json
  flag bool
  big json
  day date
  js json
  query SELECT id, 'x' || title AS label, title AS word, count(*) AS n, count(*) + 1 AS count, flag, num > 1 AS big, day, js FROM posts GROUP BY id
record posts p1 {"title":"a","num":1,"flag":true,"day":"2026-01-02 03:04:05.678Z","js":{"a":1}}
record posts p2 {"title":"B","num":2}
rule posts id = id
=> p1`, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := script.World
	for text, want := range map[string]string{
		`label = "xa"`: "p1", `label ~ "XB"`: "p2", `label > "xa"`: "", `label < "xa"`: "p2", `label != ""`: "p1 p2", `word = "B"`: "p2", `word ~ "b"`: "p2",
		`n = 1`: "p1 p2", `n ~ "1"`: "p1 p2", `count > 1`: "p1 p2", `count = "2"`: "", `flag = true`: "p1", `flag != true`: "p2",
		`day = ""`: "p2", `day > "2026"`: "p1", `day ~ "2026"`: "p1", `strftime("%Y", day) = "2026"`: "p1", `js.a = 1`: "p1", `js = null`: "p2", `big = true`: "p2", `big = 0`: "p1",
	} {
		r, err := rule.Compile(text, rule.Scope{Schema: w, Collection: w.Collection("sums")})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range engines(t, w) {
			got, err := e.Find(t.Context(), ruletest.Question{Collection: w.Collection("sums"), Rule: r, Now: noon})
			slices.Sort(got) // a view has no order
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s: %s: %v %v, want %s", e.name, text, got, err, want)
			}
		}
	}
}

// TestDates compares what PostgreSQL shows of a column of times with what the
// evaluator shows of its text.
func TestDates(t *testing.T) {
	text := "collection posts base\n day date\n"
	for i, day := range []string{
		"", "2026-01-31 23:59:59.999Z", "2024-02-29 00:00:00.000Z", "0000-01-01 00:00:00.000Z", "0000-12-31 12:00:00.001Z", "0001-01-01 00:00:00.001Z",
		"9999-12-31 23:59:59.999Z", "2021-01-03 10:11:12.130Z", "2019-12-30 13:00:00.000Z", "1969-12-31 23:59:59.999Z", "1900-03-01 00:30:00.000Z",
	} {
		text += fmt.Sprintf("record posts p%d {\"day\":%q}\n", i, day)
	}
	script, err := ruletest.Parse(text+"rule posts id = id\n=> p1", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := script.World
	e := openPostgres(t, w)
	formats := []string{"%Y", "%m-%d", "%Y-%m-%d %H:%M:%f", "%d %e %j %k %l %I %p %P", "%w %u %U %W %V %G %g", "%s %S %T %R %F %%", "%J", "%x", "100%", "YYYY %Y DD", `"%Y"`, "é%Y", "%G-W%V-%u", "%I:%M %p", "", "%f"}
	for _, format := range formats {
		for _, rec := range w.Records {
			day := rec.String("day")
			r, err := rule.Compile("strftime("+ruletest.Quoted(format)+", day) = strftime("+ruletest.Quoted(format)+", "+ruletest.Quoted(day)+") && id = "+ruletest.Quoted(rec.ID()), rule.Scope{Schema: w, Collection: w.Collections[0]})
			if err != nil {
				t.Fatal(err)
			}
			agreed(t, w, []*engine{e}, r.String(), ruletest.Question{Collection: w.Collections[0], Rule: r, Now: noon})
			q := ruletest.Question{Collection: w.Collections[0], Rule: r, Now: noon}
			if ids, err := (ruletest.Memory(t, w)).Find(context.Background(), q); err != nil || len(ids) != 1 {
				t.Errorf("%s: the evaluator finds %v %v", r, ids, err)
			}
		}
	}
}
