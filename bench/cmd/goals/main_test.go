package main

import (
	"strings"
	"testing"
)

// TestJudge: medians are compared, and what was not measured is not reached.
func TestJudge(t *testing.T) {
	const text = `commit 1234567, 2 processors
BenchmarkCachedView-16   1   30045301304 ns/op   0.9408 of-bare   0.80 of-livez
BenchmarkCachedView-16   1   30045301304 ns/op   0.9408 of-bare   0.86 of-livez
BenchmarkCachedView-16   1   30045301304 ns/op   0.9408 of-bare   0.90 of-livez
BenchmarkCommitToAnswer/1000-16 1 10 ns/op 1.7 held-p50-ms
BenchmarkValid 1000 6.1 ns/op 0 B/op 0 allocs/op
`
	for _, c := range []struct {
		goal
		want string
	}{
		{goal{"CachedView", "of-livez", 0.85, true}, "reached       CachedView, of-livez: 0.86 (0.8 to 0.9), at least 0.85 asked"},
		{goal{"CachedView", "of-livez", 0.87, true}, "FALLS SHORT   CachedView"},
		{goal{"CommitToAnswer/1000", "held-p50-ms", 1.5, false}, "FALLS SHORT   CommitToAnswer/1000, held-p50-ms: 1.7"},
		{goal{"Valid", "allocs/op", 0, false}, "reached       Valid, allocs/op: 0 (0 to 0), at most 0 asked"},
		{goal{"Valid", "MB/s", 0, true}, "not measured  Valid, MB/s"},
	} {
		var out strings.Builder
		missed, err := judge(strings.NewReader(text), &out, []goal{c.goal})
		if err != nil || !strings.HasPrefix(out.String(), text) || !strings.Contains(out.String(), "\n"+c.want) {
			t.Errorf("%+v: %v\n%s\nwant %s", c.goal, err, out.String(), c.want)
		}
		if reached := strings.HasPrefix(c.want, "reached"); reached != (missed == 0) {
			t.Errorf("%+v: %d missed", c.goal, missed)
		}
	}
}
