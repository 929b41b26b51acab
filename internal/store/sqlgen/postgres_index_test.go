package sqlgen_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/indexdef"
	"github.com/pandobase/pando/internal/rule/ruletest"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

func TestPostgresIndex(t *testing.T) {
	w := ruletest.RandomWorld(t, 1)
	c := w.Collection("posts")
	e := openPostgres(t, w)
	for in, want := range map[string]string{
		"create index i on x (title)":                                      `CREATE INDEX "i" ON "posts" ("title", "_pando_row")`,
		"create unique index if not exists `i` on x (`Title` desc, num)":   `CREATE UNIQUE INDEX IF NOT EXISTS "i" ON "posts" ("title" DESC, "num")`,
		"create index i on x (title collate nocase)":                       `CREATE INDEX "i" ON "posts" ((lower("title")), "_pando_row")`,
		"create index i on x (title collate rtrim, num collate nocase)":    `CREATE INDEX "i" ON "posts" ((rtrim("title", ' ')), "num", "_pando_row")`,
		"create index i on x (day desc)":                                   `CREATE INDEX "i" ON "posts" ((COALESCE("day", '-infinity')) DESC, "_pando_row")`,
		"create index i on x (author, day) where day != '' and flag":       `CREATE INDEX "i" ON "posts" ("author", (COALESCE("day", '-infinity')), "_pando_row") WHERE ("day" IS NOT NULL AND "flag")`,
		"create index i on x (editors)":                                    `CREATE INDEX "i" ON "posts" USING gin ("editors")`,
		"create unique index i on x (id, editors)":                         `CREATE UNIQUE INDEX "i" ON "posts" ("id", ((_pando.list_text("editors") COLLATE "C")))`,
		"create index i on x (js)":                                         `CREATE INDEX "i" ON "posts" (((_pando.json_key("js", '{}'::text[]) COLLATE "C")) NULLS FIRST, "_pando_row")`,
		"create index i on x (json_extract(js, '$.a[0].b') desc)":          `CREATE INDEX "i" ON "posts" (((_pando.json_key("js", '{a,0,b}'::text[]) COLLATE "C")) DESC NULLS LAST, "_pando_row")`,
		"create index i on x (js->>'a', geo->>'$.lon')":                    `CREATE INDEX "i" ON "posts" (((_pando.json_key("js", '{a}'::text[]) COLLATE "C")) NULLS FIRST, ((("geo" ->> 'lon')::float8)) NULLS FIRST, "_pando_row")`,
		"create unique index i on x (lower(title)) where title != ''":      `CREATE UNIQUE INDEX "i" ON "posts" ((lower("title"))) WHERE "title" <> ''`,
		"create index i on x (title) where title <> 'it''s' or num >= 5":   `CREATE INDEX "i" ON "posts" ("title", "_pando_row") WHERE ("title" <> 'it''s' OR "num" >= '5'::float8)`,
		"create index i on x (num) where flag = true and day > '2026'":     `CREATE INDEX "i" ON "posts" ("num", "_pando_row") WHERE ("flag" = true AND COALESCE("day", '-infinity') >= '2026-01-01 00:00:00.000Z'::timestamptz)`,
		"create index i on x (num) where sel in ('a','b')":                 `CREATE INDEX "i" ON "posts" ("num", "_pando_row") WHERE ("sel" = 'a' OR "sel" = 'b')`,
		"create index i on x (num) where num between 1 and 5":              `CREATE INDEX "i" ON "posts" ("num", "_pando_row") WHERE ("num" >= '1'::float8 AND "num" <= '5'::float8)`,
		"create index i on x (num) where title like 'a\\%'":                `CREATE INDEX "i" ON "posts" ("num", "_pando_row") WHERE "title" ILIKE  E'a\\\\%'`,
		"create index i on x (num) where js->>'a' is not null":             `CREATE INDEX "i" ON "posts" ("num", "_pando_row") WHERE (_pando.json_key("js", '{a}'::text[]) COLLATE "C") IS NOT NULL`,
		"create index i on x (strftime('%Y-%m', day), date(day), rowid)":   `CREATE INDEX "i" ON "posts" (((_pando.strftime('%Y-%m' COLLATE "C", (_pando.date_text("day") COLLATE "C")) COLLATE "C")) NULLS FIRST, ((_pando.strftime('%Y-%m-%d' COLLATE "C", (_pando.date_text("day") COLLATE "C")) COLLATE "C")) NULLS FIRST, "_pando_row", "_pando_row")`,
		"create index i on x (title || '-' || num, num * -2 + 1, -num)":    `CREATE INDEX "i" ON "posts" (((("title" || '-' COLLATE "C") || (_pando.number_text("num") COLLATE "C"))), ((("num" * '-2'::float8) + '1'::float8)), (('0'::float8 - "num")), "_pando_row")`,
		"create index i on x (coalesce(js->>'a', 1) desc)":                 `!coalesce`,
		"create index i on x (ifnull(title, 'x'), length(title), num > 5)": `CREATE INDEX "i" ON "posts" ((COALESCE("title", 'x' COLLATE "C")), (length("title")), (("num" > '5'::float8)) NULLS FIRST, "_pando_row")`,
		"create index i on x (nope)":                                       `!posts has no field "nope"`,
		"create index i on x (num / 2)":                                    `!hangs on how a number was written`,
		"create index i on x (replace(title, 'a', 'b'))":                   `!cannot be carried over to PostgreSQL`,
		"create index i on x (title collate french)":                       `!there is no collation french: it is BINARY, NOCASE or RTRIM`,
		"create index i on x (json_extract(js, '$.\"a b\"'))":              `!only keys of letters, digits and _`,
		"create index i on x (json_extract(title, '$.a'))":                 "!`title` is no json field of posts",
		"create index i on x (strftime('%Y', 'now'))":                      `!"now" cannot be in an index`,
		"create index i on x (num) where 1 = 1":                            `!is the same for all records`,
		"create index i on x (case when num then 1 end)":                   `!unexpected case in an expression`,
		"create index i on x ('a' || 'b')":                                 `CREATE INDEX "i" ON "posts" ((('a' COLLATE "C" || 'b' COLLATE "C")), "_pando_row")`,
		"create index " + strings.Repeat("é", 40) + " on x (num)":          `CREATE INDEX "ééééééééééééééééééééééé_84fe2e03d50dd3a1" ON "posts" ("num", "_pando_row")`,
	} {
		d, err := indexdef.Parse(in)
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		got, err := sqlgen.PostgresIndex(c, d)
		if part, ok := strings.CutPrefix(want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %s, error %v, want %q", in, got, err, part)
			}
			continue
		}
		if got != want || err != nil {
			t.Errorf("%s:\n%s %v\nwant\n%s", in, got, err, want)
		}
		if err == nil {
			e.exec(t, got)
			e.exec(t, "DROP INDEX "+quoted(sqlgen.PostgresName(d.Name)))
		}
	}
	view := &pando.Collection{Name: "v", Type: pando.TypeView}
	if _, err := sqlgen.PostgresIndex(view, &indexdef.Def{Columns: []indexdef.Column{{Name: "id"}}}); err == nil || !strings.Contains(err.Error(), "view") {
		t.Errorf("an index of a view: %v", err)
	}
}

// TestUniqueIndexes: what SQLite refuses PostgreSQL refuses, and nothing else.
func TestUniqueIndexes(t *testing.T) {
	for _, tc := range []struct{ key, a, b string }{
		{"title", `{"title":"a"}`, `{"title":"A"}`},
		{"title collate nocase", `{"title":"aÉ"}`, `{"title":"AÉ"}`},
		{"title collate nocase", `{"title":"É"}`, `{"title":"é"}`},
		{"day", `{}`, `{}`},
		{"tags", `{"tags":["a","b"]}`, `{"tags":["a","b"]}`},
		{"tags", `{"tags":["a","b"]}`, `{"tags":["b","a"]}`},
		{"js", `{"js":null}`, `{"js":null}`},
		{"js", `{"js":1}`, `{"js":1.0}`},
		{"js", `{"js":{"a":1}}`, `{"js":{"a":2}}`},
		{"json_extract(js, '$.a')", `{"js":{"a":1,"b":1}}`, `{"js":{"b":2,"a":1}}`},
		{"json_extract(js, '$.a')", `{"js":{"a":1}}`, `{"js":{"a":"1"}}`},
		{"json_extract(js, '$.a')", `{"js":{"a":1}}`, `{"js":{"a":true}}`},
		{"json_extract(js, '$.a')", `{}`, `{}`},
		{"num) where (title != ''", `{"num":1}`, `{"num":1}`},
		{"num) where (title != ''", `{"num":1,"title":"a"}`, `{"num":1,"title":"b"}`},
		{"geo->>'lon'", `{"geo":{"lon":1,"lat":2}}`, `{"geo":{"lon":1,"lat":3}}`},
	} {
		var refused [2]bool
		script, err := ruletest.Parse("collection posts base\n title text\n num number\n day date\n tags select many\n js json\n geo geoPoint\n index CREATE UNIQUE INDEX i ON posts ("+tc.key+")\nrecord posts p1 "+tc.a+"\nrule posts id = id\n=>", nil)
		if err != nil {
			t.Fatal(err)
		}
		w := script.World
		second, err := ruletest.Record(w.Collections[0], tc.b)
		if err != nil {
			t.Fatal(err)
		}
		second.Set("id", "p2")
		for i, e := range engines(t, w) {
			refused[i] = e.add(second) != nil
		}
		if refused[0] != refused[1] {
			t.Errorf("%s: %s after %s: refused by SQLite %t, by PostgreSQL %t", tc.key, tc.b, tc.a, refused[0], refused[1])
		}
	}
}

// randomExpr is an expression as users write them in indexes, or nearly.
func randomExpr(r *rand.Rand, depth int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	if depth == 0 || r.IntN(4) == 0 {
		if r.IntN(3) == 0 {
			return pick("''", "'a'", "1", "0", "-1.5", "'1'", "10", "NULL", "'2026-03-02 03:04:05.678Z'", "'a%'", "true", "9007199254740993", "'it''s \\'")
		}
		return pick("title", "num", "flag", "day", "sel", "tags", "js", "geo", "author", "js->>'a'", "js->>'$.b[1]'", "json_extract(js, '$.a')", "geo->>'lon'", "lower(title)", "length(sel)", "strftime('%m', day)")
	}
	x := func() string { return randomExpr(r, depth-1) }
	switch r.IntN(9) {
	case 0:
		return "(" + x() + " " + pick("AND", "OR") + " " + x() + ")"
	case 1:
		return "NOT " + x()
	case 2:
		return x() + pick(" IS NULL", " IS NOT NULL", " NOTNULL")
	case 3:
		return x() + pick(" IN (", " NOT IN (") + x() + ", " + x() + ")"
	case 4:
		return "(" + x() + pick(" BETWEEN ", " NOT BETWEEN ") + x() + " AND " + x() + ")"
	case 5:
		return x() + pick(" || ", " + ", " * ") + x()
	case 6:
		return pick("lower", "upper", "trim", "length", "abs") + "(" + x() + ")"
	}
	return x() + pick(" = ", " != ", " < ", " <= ", " > ", " >= ", " IS ", " IS NOT ", " LIKE ") + x()
}

// FuzzIndex makes partial indexes of random conditions: PostgreSQL takes what is
// generated, and finds the records in them that SQLite finds.
func FuzzIndex(f *testing.F) {
	for i := range uint64(40) {
		f.Add(uint8(i), i*7919)
	}
	var worlds [8]*ruletest.World
	var places [8][]*engine
	for i := range worlds {
		worlds[i] = ruletest.RandomWorld(f, uint64(200+i))
		places[i] = engines(f, worlds[i])
	}
	f.Fuzz(func(t *testing.T, seed uint8, n uint64) {
		w, all, r := worlds[int(seed)%len(worlds)], places[int(seed)%len(worlds)], rand.New(rand.NewPCG(n, 5))
		for range 20 {
			where := randomExpr(r, 3)
			text := "CREATE INDEX fuzzed ON posts (" + randomExpr(r, 2) + ") WHERE " + where
			d, err := indexdef.Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			create, err := sqlgen.PostgresIndex(w.Collection("posts"), d)
			if err != nil {
				continue
			}
			_, condition, _ := strings.Cut(create, " WHERE ")
			want, err := all[0].run(t.Context(), "SELECT id FROM posts WHERE ("+where+") ORDER BY rowid")
			if err != nil {
				continue // SQLite refuses it as well
			}
			got, err := all[1].run(t.Context(), "SELECT id FROM posts WHERE "+condition+" ORDER BY _pando_row")
			if err != nil {
				t.Fatalf("%s\n%s\n%v", where, condition, err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s\nSQLite     %v\nPostgreSQL %v\n%s", where, want, got, condition)
			}
			if _, err := all[1].run(t.Context(), create); err != nil {
				t.Fatalf("%s\n%s\n%v", text, create, err)
			}
			if _, err := all[1].run(t.Context(), "DROP INDEX fuzzed"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
