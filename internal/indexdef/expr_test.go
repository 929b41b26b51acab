package indexdef

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseExpr(t *testing.T) {
	for in, want := range map[string]string{
		"a != ''":                           "(`a` != '')",
		"a == 1 or b <> 2 AND not c":        "((`a` = 1) OR ((`b` != 2) AND (NOT `c`)))",
		"json_extract(data, '$.a')":         "`json_extract`(`data`, '$.a')",
		"data ->> '$.a'":                    "(`data` ->> '$.a')",
		"data->'a'->>'b'":                   "((`data` -> 'a') ->> 'b')",
		"LOWER([a b]) COLLATE nocase":       "(`lower`(`a b`) COLLATE `NOCASE`)",
		"a is not null and b notnull":       "((`a` IS NOT NULL) AND (`b` IS NOT NULL))",
		"a isnull or b is null":             "((`a` IS NULL) OR (`b` IS NULL))",
		"a not null":                        "(`a` IS NOT NULL)",
		"a in ('x', 1) and b not in ()":     "((`a` IN ('x', 1)) AND (`b` NOT IN ()))",
		"a between 1 and 2 and b like 'x%'": "((`a` BETWEEN 1 AND 2) AND (`b` LIKE 'x%'))",
		"a not like 'x' = 1":                "((`a` NOT LIKE 'x') = 1)",
		"1+2*-3 < 4 || 'x'":                 "((1 + (2 * (- 3))) < (4 || 'x'))",
		"a<-1":                              "(`a` < (- 1))",
		"a=-.5":                             "(`a` = (- 0.5))",
		"posts.a":                           "`a`",
		"cast(a as integer) >= 1.5e3":       "(CAST(`a` AS INTEGER) >= 1.5e3)",
		"true is false":                     "((NOT 1) IS 1)",
		"a != \"\"":                         "(`a` != '')",
		"a is true or b is not false":       "(((NOT (NOT `a`)) IS 1) OR ((NOT `b`) IS NOT 1))",
		"a is true + 1":                     "(`a` IS (1 + 1))",
		"'it''s'":                           "'it''s'",
	} {
		e, err := ParseExpr(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestParseExprErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "the expression ends too early",
		"a +":                       "the expression ends too early",
		"(a":                        "a bracket is not closed",
		"a b":                       "unexpected b in an expression",
		"a between 1":               "BETWEEN needs an AND",
		"case when a then 1 end":    "unexpected case in an expression",
		"a & 1":                     "unexpected & in an expression",
		"cast(a)":                   "CAST needs AS and a type",
		"a in b":                    "a list needs a bracket",
		"lower(a":                   "a list is not closed",
		"a > current_timestamp":     "unexpected current_timestamp in an expression",
		"'a":                        "the quote ' at position 0 has no end",
		"a collate":                 "the collation has no name",
		"exists (select 1 from t)":  "unexpected exists in an expression",
		"a like 'x' escape '\\'":    "unexpected escape in an expression",
		"a = ?":                     "unexpected ? in an expression",
		"a in (select id from t)":   "unexpected select in an expression",
		"cast(a as varchar(10))":    "the bracket of CAST is not closed",
		"json_extract(a, '$.b') ; ": "unexpected ; in an expression",
	} {
		e, err := ParseExpr(in)
		if err == nil {
			t.Errorf("%s: no error, got %v", in, e)
		} else if err.Error() != want {
			t.Errorf("%s: error %q, want %q", in, err, want)
		}
	}
}

func FuzzParseExpr(f *testing.F) {
	f.Add("a != '' and (b ->> '$.c' >= 1 or not lower([d]) in ('x', -1.5))")
	f.Add("cast(a as text) || 'x' between 1 and 2 collate nocase is not null")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseExpr(s)
		if err != nil {
			return
		}
		again, err := ParseExpr(e.String())
		if err != nil {
			t.Fatalf("%q printed as %q: %v", s, e, err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatalf("%q printed as %q: %s", s, e, diff)
		}
	})
}
