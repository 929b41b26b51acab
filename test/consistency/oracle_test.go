package consistency

import (
	"fmt"
	"strings"
	"testing"
)

// TestOracle: what the log has in another order than it was answered, or not at all, is noticed.
func TestOracle(t *testing.T) {
	count := func(i, n int) string {
		return fmt.Sprintf("BEGIN\ntable public.counters: UPDATE: id[text]:'%s' n[double precision]:%d odd[boolean]:true\nCOMMIT", counterID(i), n)
	}
	state := func(n ...int64) (s [counters]int64) {
		copy(s[:], n)
		return s
	}
	for _, c := range []struct {
		name     string
		log      []string
		lists    [][counters]int64
		answered int64 // of the first
		bad      int
	}{
		{"as it was answered", []string{count(0, 1), count(1, 1), count(0, 2), count(0, 2)}, [][counters]int64{state(1), state(1, 1), state(2, 1), {}}, 2, 0},
		{"a list of no moment", []string{count(0, 1), count(1, 1)}, [][counters]int64{state(0, 1)}, 1, 1},
		{"not in the log", []string{count(0, 1)}, nil, 2, 1},
		{"one is left out", []string{count(0, 1), count(0, 3)}, nil, 3, 1},
		{"in another order", []string{count(0, 1), count(0, 2), count(0, 1)}, nil, 1, 1},
		{"with the old row", []string{"table public.counters: UPDATE: old-key: id[text]:'x' n[double precision]:7 new-tuple: id[text]:'" +
			counterID(0) + "' n[double precision]:1\nCOMMIT"}, [][counters]int64{state(1)}, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{report: &report{}}
			for i := range w.records {
				w.records[i].Raise(9)
			}
			w.records[0].Answered(c.answered)
			for _, l := range c.lists {
				w.lists.Add(l[:])
			}
			log := strings.Join(c.log, "\n")
			o := w.newOracle(newSlot("app", func(string) (text string, err error) {
				text, log = log, ""
				return text + "\n0/0", nil
			}))
			if err := o.check(); err != nil || w.report.count != c.bad {
				t.Errorf("%v, %d violations: %v", err, w.report.count, w.report.violations)
			}
		})
	}
}
