package indexdef

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Def
		out  string
	}{
		{
			"create   unique index if not exists  ix_1 on foo (a collate nocase desc, c  asc) where a != '' -- x",
			Def{Unique: true, IfNotExists: true, Name: "ix_1", Table: "foo", Columns: []Column{
				{Name: "a", Collate: "nocase", Sort: "DESC"}, {Name: "c", Sort: "ASC"},
			}, Where: "a != ''"},
			"CREATE UNIQUE INDEX IF NOT EXISTS `ix_1` ON `foo` (\n  `a` COLLATE nocase DESC,\n  `c` ASC\n) WHERE a != ''",
		},
		{
			"CREATE INDEX main.\"ix 2\" ON [t] (json_extract(b, '$.x,y)'), lower(`a`) DESC);",
			Def{Schema: "main", Name: "ix 2", Table: "t", Columns: []Column{
				{Expr: "json_extract(b, '$.x,y)')"}, {Expr: "lower(`a`)", Sort: "DESC"},
			}},
			"CREATE INDEX `main`.`ix 2` ON `t` (\n  json_extract(b, '$.x,y)'),\n  lower(`a`) DESC\n)",
		},
		{
			"CREATE INDEX i ON t (a /* one */ + 1) WHERE (a > 1 and b = ';')",
			Def{Name: "i", Table: "t", Columns: []Column{{Expr: "a + 1"}}, Where: "(a > 1 and b = ';')"},
			"CREATE INDEX `i` ON `t` (a + 1) WHERE (a > 1 and b = ';')",
		},
		{
			"CREATE INDEX `i``j` ON `t` (`asc`)",
			Def{Name: "i`j", Table: "t", Columns: []Column{{Name: "asc"}}},
			"CREATE INDEX `i``j` ON `t` (`asc`)",
		},
		{
			"CREATE INDEX i ON t (data->>'$.a' COLLATE NOCASE)",
			Def{Name: "i", Table: "t", Columns: []Column{{Expr: "data->>'$.a'", Collate: "NOCASE"}}},
			"CREATE INDEX `i` ON `t` (data->>'$.a' COLLATE NOCASE)",
		},
	} {
		d, err := Parse(tc.in)
		if err != nil {
			t.Errorf("%s: %v", tc.in, err)
			continue
		}
		if diff := cmp.Diff(tc.want, *d); diff != "" {
			t.Errorf("%s: %s", tc.in, diff)
		}
		if got := d.String(); got != tc.out {
			t.Errorf("%s: printed\n%s\nwant\n%s", tc.in, got, tc.out)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"":                                              "an index begins with CREATE INDEX or CREATE UNIQUE INDEX",
		"create table t (a)":                            "an index begins with CREATE INDEX or CREATE UNIQUE INDEX",
		"create index on t (a)":                         "the index has no name",
		"create index if i on t (a)":                    "IF must be followed by NOT EXISTS",
		"create index i t (a)":                          "the index's name must be followed by ON and the table's name",
		"create index i on (a)":                         "the table has no name",
		"create index i on t":                           "the table's name must be followed by the columns in brackets",
		"create index i on t ()":                        "an expression is missing",
		"create index i on t (a,)":                      "an expression is missing",
		"create index i on t (a":                        "the bracket around the columns is not closed",
		"create index i on t (lower(a)":                 "the bracket around the columns is not closed",
		"create index i on t (a) drop":                  "unexpected drop after the columns",
		"create index i on t (a) where":                 "an expression is missing",
		"create index i on t (a); drop x":               "unexpected ; after the columns",
		"create index i on t (a;b)":                     "an index is one statement: there is a semicolon inside",
		"create index i on t (a) where 1; drop table t": "an index is one statement: there is a semicolon inside",
		"create index i on t (a) where a)":              "there is a closing bracket too many",
		"create index i on t (a) where (a":              "a bracket is not closed",
		"create index 'i on t (a)":                      "the quote ' at position 13 has no end",
		"create index i on t (a) /* x":                  "the comment at position 24 has no end",
		"create index i on t (a\x00)":                   "a NUL byte at position 22",
	} {
		d, err := Parse(in)
		if err == nil {
			t.Errorf("%s: no error, got %v", in, d)
		} else if err.Error() != want {
			t.Errorf("%s: error %q, want %q", in, err, want)
		}
	}
}

func TestCovers(t *testing.T) {
	for in, want := range map[string]bool{
		"create unique index i on t (a)":              true,
		"create unique index i on t (A)":              true,
		"create index i on t (a)":                     false,
		"create unique index i on t (a, b)":           false,
		"create unique index i on t (a) where a != 1": false,
		"create unique index i on t (lower(a))":       false,
	} {
		d, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Covers("a"); got != want {
			t.Errorf("%s: %t", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("create unique index if not exists i on t (a collate nocase desc, lower(b)) where a != ''")
	f.Add("CREATE INDEX `i` ON \"t\" ([a b], 'c', (1+2), -3 ASC)")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(d.String())
		if err != nil {
			t.Fatalf("%q printed as %q: %v", s, d, err)
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Fatalf("%q printed as %q: %s", s, d, diff)
		}
	})
}
