package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOperateConfiguration: the table of docs/operate.md is that of options.
func TestOperateConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	type setting struct{ Name, Env, Default string }
	var got []setting
	row := regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| `([A-Z_]+)` \\| (?:`([^`]*)`)? *\\| (.+) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		got = append(got, setting{m[1], m[2], m[3]})
		if strings.TrimSpace(m[4]) == "" {
			t.Errorf("--%s is not explained", m[1])
		}
	}
	var want []setting
	for _, o := range options {
		want = append(want, setting{o.name, o.env(), o.def})
	}
	want = append(want, setting{"config", "PANDO_CONFIG", ""})
	for _, o := range balancerOptions {
		want = append(want, setting{o.name, o.env(), o.def})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/operate.md and the options differ (-options +docs):\n%s", diff)
	}
}
