package position_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/position"
)

// As PostgreSQL writes it, with a recovery target in between.
const historyFile = "1\t0/3027E58\tno recovery target specified\n\n" +
	"# a comment\n" +
	"2\t16/B374D848\tbefore 2000-01-01 00:00:00+00\n"

func TestParseHistory(t *testing.T) {
	h, err := position.ParseHistory(3, historyFile)
	want := position.History{Timeline: 3, Forks: []position.Fork{{Timeline: 1, At: 0x3027E58}, {Timeline: 2, At: 0x16B374D848}}}
	if diff := cmp.Diff(want, h); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if h, err := position.ParseHistory(1, ""); err != nil || h.Timeline != 1 || len(h.Forks) > 0 {
		t.Errorf("the first timeline: %v, %v", h, err)
	}
	for text, want := range map[string]string{
		"1":              `"1" has no position`,
		"x\t0/1":         `"x\t0/1" does not begin with a timeline`,
		"1\t01":          `"01" is no position of a log`,
		"1\t0/1\n1\t0/2": "timeline 1 is out of order",
		"3\t0/1":         "timeline 3 is out of order",
	} {
		if _, err := position.ParseHistory(3, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestJudge(t *testing.T) {
	h := position.History{Timeline: 4, Forks: []position.Fork{{Timeline: 1, At: 100}, {Timeline: 3, At: 200}}}
	tests := []struct {
		name string
		tok  position.Token
		want position.Verdict
	}{
		{"the beginning", position.Token{}, position.Void}, // of a database that has no timeline 0
		{"before the fork", position.Token{Timeline: 1, N: 99}, position.Holds},
		{"at the fork", position.Token{Timeline: 1, N: 100}, position.Holds},
		{"lost", position.Token{Timeline: 1, N: 101}, position.Void},
		{"lost, though the numbers were used again", position.Token{Timeline: 1, N: 150}, position.Void},
		{"of a timeline that led nowhere", position.Token{Timeline: 2, N: 90}, position.Void},
		{"before the second fork", position.Token{Timeline: 3, N: 150}, position.Holds},
		{"lost at the second fork", position.Token{Timeline: 3, N: 201}, position.Void},
		{"now", position.Token{Timeline: 4, N: 300}, position.Holds},
		{"not yet", position.Token{Timeline: 4, N: 301}, position.Future},
		{"of a timeline to come", position.Token{Timeline: 5, N: 1}, position.Future},
	}
	for _, tt := range tests {
		if got := h.Judge(tt.tok, 300); got != tt.want {
			t.Errorf("%s: Judge(%v) = %v, want %v", tt.name, tt.tok, got, tt.want)
		}
	}
	var one position.History // of one machine
	if one.Judge(position.Token{N: 5}, 5) != position.Holds || one.Judge(position.Token{N: 6}, 5) != position.Future ||
		one.Judge(position.Token{Timeline: 1, N: 1}, 5) != position.Future {
		t.Error("one machine: wrong")
	}
}

func TestLSN(t *testing.T) {
	for _, text := range []string{"0/0", "0/3027E58", "16/B374D848", "FFFFFFFF/FFFFFFFF"} {
		if n, err := position.ParseLSN(text); err != nil || n.LSN() != text {
			t.Errorf("%s comes back as %s, %v", text, n.LSN(), err)
		}
	}
	for _, text := range []string{"", "/", "1", "1/", "/1", "1/1/1", "g/1", "100000000/0", "-1/0"} {
		if n, err := position.ParseLSN(text); err == nil {
			t.Errorf("%q is taken for %d", text, n)
		}
	}
}
