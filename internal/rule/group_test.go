package rule_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/rule/ruletest"
)

// TestGroup compares rules as they are evaluated, their joins grouped, with what
// they mean: one question over the rows of all joins together.
func TestGroup(t *testing.T) {
	asked := 0
	for seed := range uint64(8) {
		w := ruletest.RandomWorld(t, seed)
		posts := w.Collection("posts")
		r := ruletest.NewRandom(seed, 9)
		for range 400 {
			text := r.Rule(2)
			grouped, err := rule.Compile(text, rule.Scope{Schema: w, Collection: posts, Client: r.IntN(3) == 0})
			if err != nil || grouped.Joins() > 6 {
				continue
			}
			q := ruletest.Question{Collection: posts, Rule: grouped, Request: r.Request(w), Now: time.Unix(1e9, 0)}
			got, err := ruletest.Memory(t, w).Find(context.Background(), q)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			q.Rule = grouped.Ungrouped()
			want, err := ruletest.Memory(t, w).Find(context.Background(), q)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			asked++
			if !slices.Equal(got, want) {
				t.Errorf("%s: grouped %v, ungrouped %v", text, got, want)
			}
		}
	}
	if asked < 1000 {
		t.Errorf("only %d rules could be asked", asked)
	}
}
