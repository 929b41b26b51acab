package rule

import (
	"strings"
	"testing"
)

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "empty filter expression",
		"  ":                                 "empty filter expression",
		"// only a comment":                  "empty filter expression",
		"a":                                  "invalid or incomplete",
		"a =":                                "invalid or incomplete",
		"a = 1 &&":                           "invalid or incomplete",
		"a = 1 b = 2":                        "expected && or ||",
		"a = (b = 1)":                        "expected right operand",
		"a = 1 (b = 2)":                      "expected && or ||",
		"a = 1\r\n":                          "unexpected character",
		"a = 1\x00 && b = 2":                 "NUL",
		"a = '\xff'":                         "UTF-8",
		strings.Repeat("a=1||", 200) + "a=1": "limit reached",
		strings.Repeat("(", 70) + "a=1" + strings.Repeat(")", 70): "brackets inside one another",
		"f(g(h(i(1)))) = 1": "max nested function",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", text, err, want)
		}
	}
}

func TestPrint(t *testing.T) {
	for text, want := range map[string]string{
		"a=1&&b=2||c=3":          `a = 1 && b = 2 || c = 3`,
		"(a=1||b=2)&&c=3":        `(a = 1 || b = 2) && c = 3`,
		"((a?=1))":               `a ?= 1`,
		"a = 'it\\'s \\\\ \\q'":  `a = "it's \\ \\q"`,
		"f( a.b , 'x' ) = -1.50": `f(a.b, "x") = -1.50`,
	} {
		e, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := printed(e); got != want {
			t.Errorf("%s: printed %s, want %s", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`a = 1 && (b ?!~ "x\\y" || c.d:lower != 'it\'s') // end`,
		`geoDistance(a.lon, a.lat, 1, -2.5) < 3 || strftime("%Y", @now) = "2026"`,
		"a='\r\n\t'&&b='\\n'",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := parse(s)
		if err != nil {
			return
		}
		once := printed(e)
		again, err := parse(once)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", s, once, err)
		}
		if twice := printed(again); twice != once {
			t.Fatalf("%q printed as %q, then as %q", s, once, twice)
		}
	})
}
