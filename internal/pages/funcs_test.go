package pages

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFunctionSet lists every function that pages can call beside html/template's
// own. A new one must not reach files, the environment or the network: think
// before adding it here.
func TestFunctionSet(t *testing.T) {
	want := []string{
		// records, with the visitor's rights
		"list", "view",
		// the request
		"link", "param", "query",
		// pure
		"add", "date", "dict", "file", "num", "quote", "sub",
		"eq", "ge", "gt", "le", "lt", "ne",
		"html", "js", "print", "printf", "println", "urlquery",
		// bounds of time and depth
		"enter", "leave", "tick",
	}
	slices.Sort(want)
	got := slices.Sorted(maps.Keys(new(visit).funcs()))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	docs, err := os.ReadFile("../../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(docs), "| function | gives |")
	for _, name := range got {
		if name == "enter" || name == "leave" || name == "tick" {
			continue // of no use to pages
		}
		if !regexp.MustCompile("`" + name + "[` ]").MatchString(table) {
			t.Errorf("docs/pages.md does not explain %s", name)
		}
	}
}

func TestValues(t *testing.T) {
	record := map[string]any{
		"id": "r1", "collectionId": "c 1", "file": "a b.png", "files": []any{"x.png", "y.png"}, "none": "", "nothing": []any{},
	}
	tests := []struct {
		name      string
		got, want any
	}{
		{"number", number(1234567.5).String(), "1234567.5"},
		{"number", number(1e21).String(), "1000000000000000000000"},
		{"num", formatNumber(number(1234567.25)), "1,234,567.25"},
		{"num", formatNumber(-1234), "-1,234"},
		{"num", formatNumber(number(-123)), "-123"},
		{"num", formatNumber(nil), ""},
		{"num", formatNumber("text"), "text"},
		{"date", formatDate("2 Jan 2006", "2024-03-01 10:00:00.000Z"), "1 Mar 2024"},
		{"date", formatDate("2 Jan 2006", ""), ""},
		{"date", formatDate("2 Jan 2006", "soon"), "soon"},
		{"whole", whole("12"), 12},
		{"whole", whole(" 12"), 0},
		{"whole", whole(number(2.9)), 2},
		{"whole", whole(nil), 0},
		{"file", fileURL(record, "file"), "/api/files/c%201/r1/a%20b.png"},
		{"file", fileURL(record, "files", "10x10"), "/api/files/c%201/r1/x.png?thumb=10x10"},
		{"file", fileURL(record, "none"), ""},
		{"file", fileURL(record, "nothing"), ""},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	tests := []struct {
		a, b any
		want int // 9: an error
	}{
		{number(1), 1, 0}, {1, 2.5, -1}, {uint8(3), number(2), 1},
		{"a", "b", -1}, {"b", "b", 0},
		{"1", 1, 9}, {nil, 1, 9}, {true, false, 9}, {[]any{}, []any{}, 9},
	}
	for _, tt := range tests {
		got, err := compare(tt.a, tt.b)
		if err != nil {
			got = 9
		}
		if got != tt.want {
			t.Errorf("compare(%v, %v) = %d %v, want %d", tt.a, tt.b, got, err, tt.want)
		}
	}
	equals := []struct {
		a     any
		b     []any
		want  bool
		fails bool
	}{
		{number(1), []any{1}, true, false}, {number(1), []any{2, 1.0}, true, false}, {"x", []any{"y", "x"}, true, false},
		{"1", []any{1}, false, false}, {nil, []any{nil}, true, false}, {nil, []any{""}, false, false}, {true, []any{true}, true, false},
		{map[string]any{}, []any{1}, false, true}, {1, []any{[]any{}}, false, true}, {1, nil, false, true},
	}
	for _, tt := range equals {
		got, err := equal(tt.a, tt.b...)
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("eq %v %v = %v %v, want %v", tt.a, tt.b, got, err, tt.want)
		}
	}
}
