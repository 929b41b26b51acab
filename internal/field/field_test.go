package field

import (
	"encoding/json"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
)

// fieldOf makes a field out of the JSON of its options.
func fieldOf(t *testing.T, text string) *pando.Field {
	t.Helper()
	f := new(pando.Field)
	if err := json.Unmarshal([]byte(text), f); err != nil {
		t.Fatalf("field %s: %v", text, err)
	}
	return f
}

// decode is a submitted value as the web edge decodes it.
func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("value %s: %v", text, err)
	}
	return v
}

func TestCast(t *testing.T) {
	const (
		txt   = `{"type":"text"}`
		num   = `{"type":"number"}`
		flag  = `{"type":"bool"}`
		day   = `{"type":"date"}`
		one   = `{"type":"select","maxSelect":1}`
		many  = `{"type":"select","maxSelect":3}`
		js    = `{"type":"json"}`
		point = `{"type":"geoPoint"}`
	)
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, tt := range []struct {
		field, in string
		want      any
	}{
		{txt, `null`, ""}, {txt, `true`, "true"}, {txt, `1.5`, "1.5"}, {txt, `1e3`, "1000"},
		{txt, `1e21`, "1000000000000000000000"}, {txt, `1e-7`, "0.0000001"}, {txt, `["a"]`, ""}, {txt, `{}`, ""}, {txt, `" x "`, " x "},

		{num, `null`, 0.0}, {num, `true`, 1.0}, {num, `"1.50"`, 1.5}, {num, `" 1 "`, 0.0}, {num, `"abc"`, 0.0},
		{num, `"true"`, 0.0}, {num, `"1_000"`, 1000.0}, {num, `"0x10"`, 0.0}, {num, `[1]`, 0.0}, {num, `"Inf"`, math.Inf(1)},
		{num, `"+5"`, 5.0}, {num, `".5"`, 0.5}, {num, `"00012"`, 12.0}, {num, `"1e400"`, 0.0}, {num, `"1,000"`, 0.0},

		{flag, `1`, true}, {flag, `-3`, true}, {flag, `0`, false}, {flag, `"t"`, true}, {flag, `"TRUE"`, true}, {flag, `"1"`, true},
		{flag, `"yes"`, false}, {flag, `"2"`, false}, {flag, `[true]`, false}, {flag, `null`, false},

		{day, `"2024-01-02"`, "2024-01-02 00:00:00.000Z"}, {day, `"2024-01-02T03:04:05Z"`, "2024-01-02 03:04:05.000Z"},
		{day, `"2024-01-02T03:04:05.123456+02:00"`, "2024-01-02 01:04:05.123Z"}, {day, `"2024-01-02 03:04:05.1239999Z"`, "2024-01-02 03:04:05.123Z"},
		{day, `"2024-01-02 03:04:05 +0200"`, "2024-01-02 01:04:05.000Z"}, {day, `"Tue, 02 Jan 2024 03:04:05 GMT"`, "2024-01-02 03:04:05.000Z"},
		{day, `"2024-01-02 03:04"`, ""}, {day, `"2024-02-30"`, ""}, {day, `1700000000`, ""}, {day, `"1700000000"`, ""}, {day, `true`, ""},
		{day, `"0001-01-01 00:00:00.000Z"`, ""}, {day, `" 2024-01-02 "`, ""}, {day, `"Jan 2 15:04:05"`, "0000-01-02 15:04:05.000Z"},

		{one, `["a","b"]`, "b"}, {one, `["a",null,1,true,"a",""]`, "true"}, {one, `"[\"a\"]"`, "a"}, {one, `"[1,2]"`, "[1,2]"}, {one, `{}`, ""}, {one, `1e3`, "1000"},
		{many, `["a",null,1,true,"a",""]`, []string{"a", "1", "true"}}, {many, `"x"`, []string{"x"}}, {many, `""`, []string(nil)},
		{many, `[["a"],"1"]`, []string(nil)}, {many, `{"a":1}`, []string(nil)}, {many, `" [\"a\"]"`, []string{"a"}}, {many, `"null"`, []string{"null"}},

		{js, `null`, raw(`null`)}, {js, `""`, raw(`""`)}, {js, `"1.50"`, raw(`1.50`)}, {js, `" 1 "`, raw(`" 1 "`)}, {js, `"abc"`, raw(`"abc"`)},
		{js, `"[1, 2] "`, raw(`[1,2]`)}, {js, `"[1,2"`, raw(`"[1,2"`)}, {js, `"true"`, raw(`true`)}, {js, `"TRUE"`, raw(`"TRUE"`)},
		{js, `"01"`, raw(`"01"`)}, {js, `{"b":1,"a":"<"}`, raw(`{"a":"\u003c","b":1}`)}, {js, `"\"<\""`, raw(`"\u003c"`)}, {js, `"a\u0000b"`, raw(`"a\u0000b"`)},

		{point, `{"lon":"1","lat":2}`, pando.GeoPoint{Lat: 2}}, {point, `{"Lon":1,"LAT":2}`, pando.GeoPoint{Lon: 1, Lat: 2}},
		{point, `"{\"lon\":1,\"lat\":2}"`, pando.GeoPoint{Lon: 1, Lat: 2}}, {point, `[1,2]`, pando.GeoPoint{}}, {point, `7`, pando.GeoPoint{}},
	} {
		got := Cast(fieldOf(t, tt.field), decode(t, tt.in))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Cast(%s, %s) (-want +got):\n%s", tt.field, tt.in, diff)
		}
	}
}

// What a cast made is left alone by a second cast: records pass through more
// than once.
func TestCastTwice(t *testing.T) {
	for _, typ := range []string{"text", "number", "bool", "email", "url", "editor", "date", "autodate", "select", "json", "file", "relation", "password", "geoPoint"} {
		for _, options := range []string{`"maxSelect":1`, `"maxSelect":4`} {
			f := fieldOf(t, `{"type":"`+typ+`",`+options+`}`)
			for _, in := range []string{`null`, `"a"`, `1.5`, `["a","b"]`, `"[\"x\"]"`, `{"lon":1,"lat":2}`, `"2024-01-02"`, `true`} {
				once := Cast(f, decode(t, in))
				if diff := cmp.Diff(once, Cast(f, once)); diff != "" && typ != "json" {
					t.Errorf("%s %s cast twice (-once +twice):\n%s", typ, in, diff)
				}
				if diff := cmp.Diff(f.Zero(), Cast(f, nil)); diff != "" {
					t.Errorf("%s: nil is not the zero value (-zero +cast):\n%s", typ, diff)
				}
			}
		}
	}
}

func TestParseTimeOfGoValues(t *testing.T) {
	at := time.Date(2024, 1, 2, 3, 4, 5, 6e6, time.FixedZone("", 3600))
	for _, tt := range []struct {
		in   any
		want string
	}{
		{at, "2024-01-02 02:04:05.006Z"}, {time.Time{}, ""}, {1700000000, "2023-11-14 22:13:20.000Z"},
		{nil, ""}, {json.Number("1700000000"), ""}, {struct{}{}, ""},
	} {
		if got := ParseTime(tt.in); got != tt.want {
			t.Errorf("ParseTime(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestSplitKeyAndModify(t *testing.T) {
	c := &pando.Collection{Fields: []*pando.Field{
		fieldOf(t, `{"name":"n","type":"number"}`),
		fieldOf(t, `{"name":"s","type":"select","maxSelect":1}`),
		fieldOf(t, `{"name":"ss","type":"select","maxSelect":3}`),
		fieldOf(t, `{"name":"t","type":"text","autogeneratePattern":"[a-c]{4}"}`),
		fieldOf(t, `{"name":"j","type":"json"}`),
	}}
	for _, tt := range []struct {
		key, current, raw string
		want              any // nil: the key means nothing
	}{
		{"n", `5`, `2`, 2.0}, {"n+", `5`, `2`, 7.0}, {"n-", `5`, `"3"`, 2.0}, {"n+", `5`, `"x"`, 5.0}, {"+n", `5`, `2`, nil},
		{"ss+", `["a"]`, `"b"`, []string{"a", "b"}}, {"+ss", `["a","b"]`, `["c","b"]`, []string{"c", "b", "a"}},
		{"ss-", `["a","b","c"]`, `["c","a"]`, []string{"b"}}, {"ss+", `["a"]`, `null`, []string{"a"}}, {"ss-", `["a"]`, `"a"`, []string(nil)},
		{"s+", `"a"`, `"b"`, "b"}, {"+s", `"a"`, `"b"`, "a"}, {"s-", `"a"`, `"a"`, ""}, {"s-", `"a"`, `"b"`, "a"},
		{"j+", `[1]`, `2`, nil}, {"t+", `"a"`, `"b"`, nil}, {"n:autogenerate", `1`, `1`, nil}, {"zz", `1`, `1`, nil}, {"zz+", `1`, `1`, nil}, {"+", `1`, `1`, nil},
	} {
		f, op, ok := SplitKey(c, tt.key)
		if !ok {
			if tt.want != nil {
				t.Errorf("SplitKey(%q) found nothing", tt.key)
			}
			continue
		}
		current := Cast(f, decode(t, tt.current))
		got := Modify(f, current, op, decode(t, tt.raw))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s=%s on %s (-want +got):\n%s", tt.key, tt.raw, tt.current, diff)
		}
		if diff := cmp.Diff(Cast(f, decode(t, tt.current)), current); diff != "" {
			t.Errorf("%s changed the value it started from:\n%s", tt.key, diff)
		}
	}

	f, op, _ := SplitKey(c, "t:autogenerate")
	if got := Modify(f, "old", op, "x_").(string); !regexp.MustCompile(`^x_[a-c]{4}$`).MatchString(got) {
		t.Errorf("t:autogenerate = %q", got)
	}
}

func TestGenerateMatchesItsPattern(t *testing.T) {
	for _, pattern := range []string{"", IDPattern, "[a-zA-Z0-9]{50}", `^abc\d{3}-\w+$`, "(x|yy|z){2,5}[^a-z]?", ".{3}", "[α-ω]{4}", `\s*(?i)ab`} {
		re := regexp.MustCompile(`^(?:` + pattern + `)$`)
		for range 50 {
			got, err := Generate(pattern)
			if err != nil || !re.MatchString(got) {
				t.Fatalf("Generate(%q) = %q, %v", pattern, got, err)
			}
		}
	}
	for _, pattern := range []string{"[", `\bx`, "(a", "((((a{1000}){1000}){1000}){1000})"} {
		if got, err := Generate(pattern); err == nil {
			t.Errorf("Generate(%q) made %d bytes, want an error", pattern, len(got))
		}
	}
}
