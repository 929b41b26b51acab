package sqlgen_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
)

func emptyWorld(t *testing.T) *ruletest.World {
	t.Helper()
	script, err := ruletest.Parse("collection posts base\nrecord posts p1\nrule posts id = id\n=> p1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return script.World
}

// text runs a statement that gives one value.
func (e *engine) text(t *testing.T, sql string, args ...any) string {
	t.Helper()
	out, err := e.run(context.Background(), sql, args...)
	if err != nil || len(out) != 1 {
		t.Fatalf("%s: %v %v", sql, out, err)
	}
	return out[0]
}

// TestRealText compares how numbers become texts with what SQLite makes of them.
func TestRealText(t *testing.T) {
	e := openSQLite(t, emptyWorld(t))
	r := rand.New(rand.NewPCG(1, 2))
	numbers := []float64{0, 1, -1, 0.1, 123, 1e15, 1e14, 999999999999999, 1e16, 1e-4, 1e-5, 0.00012345, 1e100, 1.5e300,
		123456789012345680, 1.0 / 3, math.MaxFloat64, math.SmallestNonzeroFloat64, 5e-324, 100, 1e22, -2.5e-7}
	for range 2000 {
		numbers = append(numbers, math.Float64frombits(r.Uint64()), r.Float64()*1000, float64(r.IntN(1e9))/100)
	}
	for _, f := range numbers {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		want := e.text(t, "SELECT CAST(? AS TEXT)", f)
		got := rule.Real(f).String()
		if got == want {
			continue
		}
		// SQLite's last digit is not always the nearest one: that much may differ
		// where a number has that many digits.
		digits := strings.Trim(strconv.FormatFloat(math.Abs(f), 'e', -1, 64)[:1]+strconv.FormatFloat(math.Abs(f), 'f', -1, 64), "0.")
		back, err := strconv.ParseFloat(got, 64)
		if len(digits) < 14 || err != nil || math.Abs(back-f) > math.Abs(f)*1e-15 {
			t.Errorf("%g: %q, SQLite says %q", f, got, want)
		}
	}
}

// TestStrftime compares the evaluator's strftime and PostgreSQL's with SQLite's. Days that do not
// exist (30 February) and years before Christ are left out: no date field holds
// one, and a rule over free text is the database's to answer.
func TestStrftime(t *testing.T) {
	w := emptyWorld(t)
	e, pg := openSQLite(t, w), openPostgres(t, w)
	times := []string{
		"2026-01-31 23:59:59.999Z", "2024-02-29", "2026-12-31 00:00", "2021-01-03T10:11:12+02:00", "12:34:56.789", "12:34",
		"2461368.25", "1800000.5", "1767225600", "", "x", "2026-13-01", "2026-01-01 24:00:00", "2026-1-1", "2026-01-01 1:2", "-1", "9999-12-31 23:59:59",
	}
	mods := [][]string{
		nil, {"+1 month"}, {"-1 month"}, {"+1 year", "-1 day"}, {"start of month"}, {"start of year", "+6 months"}, {"start of day"},
		{"weekday 0"}, {"weekday 3"}, {"+1.5 days"}, {"-36 hours"}, {"+90 minutes"}, {"+0.5 seconds"}, {"unixepoch"}, {"julianday"},
		{"auto"}, {"+01:30"}, {"-00:30:15.5"}, {"nonsense"}, {"+1"}, {"+1 foo"}, {"start of week"}, {"weekday 7"}, {"+2.5 months"}, {"5 days"}, {"+1 day", "unixepoch"},
	}
	formats := []string{"%Y-%m-%d %H:%M:%f", "%d %e %j %k %l %I %p %P", "%w %u %U %W %V %G %g", "%s %S %T %R %F %%", "%J", "%x", "100%", "plain"}
	for _, at := range times {
		for _, m := range mods {
			for _, format := range formats {
				args := []any{format, at}
				text := "strftime(" + ruletest.Quoted(format) + ", " + ruletest.Quoted(at)
				for _, s := range m {
					args = append(args, s)
					text += ", " + ruletest.Quoted(s)
				}
				want := e.text(t, "SELECT strftime(?"+strings.Repeat(", ?", len(args)-1)+")", args...)
				places := ""
				for i := range args {
					places += fmt.Sprintf(", $%d::text", i+1)
				}
				if got := pg.text(t, "SELECT coalesce(_pando.strftime("+places[2:]+"), '')", args...); got != want {
					t.Errorf("%s): PostgreSQL says %q, SQLite %q", text, got, want)
				}
				text += ") = " + ruletest.Quoted(want)
				r, err := rule.Compile(text, rule.Scope{Schema: w, Collection: w.Collections[0]})
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				ok, err := r.Match(context.Background(), rule.Env{Now: noon}, w.Records[0])
				if err != nil || !ok {
					t.Errorf("SQLite says %q %s", want, text)
				}
			}
		}
	}
}
