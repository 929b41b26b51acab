package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// section is the part of docs/operate.md under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/operate.md has no section %q", heading)
	}
	before, _, _ := strings.Cut(after, "\n## ")
	return before
}

// explained are the names in the first column of the table that begins with
// heading.
func explained(t *testing.T, text, heading string) []string {
	t.Helper()
	_, table, found := strings.Cut(text, heading)
	if !found {
		t.Fatalf("no table %q", heading)
	}
	var names []string
	for line := range strings.Lines(strings.SplitN(table, "\n\n", 2)[0]) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 || strings.HasPrefix(cells[1], "---") {
			continue
		}
		if strings.TrimSpace(cells[2]) == "" {
			t.Errorf("%s is not explained", cells[1])
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return names
}

// TestOperateMetrics: docs/operate.md lists the metrics and the facts that a
// server has, and no others.
func TestOperateMetrics(t *testing.T) {
	r := start(t, config(t.TempDir()))
	call(t, "GET", r.info.URL+"/api/health", "", nil) // so that its counters are there
	text := section(t, "Health, metrics, profiles")

	_, metrics := fetch(t, http.DefaultClient, "GET", r.info.AdminURL+"/metrics", nil)
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (pando_\w+) `).FindAllStringSubmatch(metrics, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, explained(t, text, "| metric | what it counts |")); diff != "" {
		t.Errorf("metrics (-server +docs):\n%s", diff)
	}

	_, verbose := fetch(t, http.DefaultClient, "GET", r.info.AdminURL+"/readyz?verbose", nil, "Accept", "application/json")
	var facts map[string]any
	if err := json.Unmarshal([]byte(verbose), &facts); err != nil {
		t.Fatal(err)
	}
	facts["reason"] = "only when it is not ready"
	if diff := cmp.Diff(slices.Sorted(maps.Keys(facts)), explained(t, text, "| `/readyz?verbose` | says |")); diff != "" {
		t.Errorf("facts (-server +docs):\n%s", diff)
	}
}
