// Command goals reads what "go test -bench" prints for the benchmarks of a cluster, passes it
// on, and adds which goals the medians reach. It fails if one is missed, or was not measured.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goal is a bound for a figure that a benchmark reports.
type goal struct {
	benchmark, unit string
	bound           float64
	atLeast         bool // else at most
}

// goals are those of docs/guarantees.md.
var goals = []goal{
	{benchmark: "CachedView", unit: "of-livez", bound: 0.85, atLeast: true},
	{benchmark: "Valid", unit: "ns/op", bound: 30},
	{benchmark: "Valid", unit: "allocs/op", bound: 0},
	{benchmark: "ValidOfAStream", unit: "ns/op", bound: 30},
	{benchmark: "ValidOfAStream", unit: "allocs/op", bound: 0},
	{benchmark: "ReadersOfOneKey", unit: "queries/server/change", bound: 1},
	{benchmark: "CommitToAnswer/100", unit: "held-p50-ms", bound: 1},
	{benchmark: "CommitToAnswer/100", unit: "held-p99-ms", bound: 3},
	{benchmark: "CommitToAnswer/1000", unit: "held-p50-ms", bound: 1.5},
	{benchmark: "OutsideVisible", unit: "visible-p99-ms", bound: 50},
	{benchmark: "SteadyState/3000", unit: "queries/100reads", bound: 1.2},
	{benchmark: "SteadyState/3000", unit: "primary-queries/100reads", bound: 0.1},
	{benchmark: "NewServer", unit: "first-second-hit-%", bound: 90, atLeast: true},
	{benchmark: "ColdAfterFailover", unit: "read-p99-ms", bound: 1000},
	{benchmark: "ColdAfterFailover", unit: "refused", bound: 0},
}

func main() {
	missed, err := judge(os.Stdin, os.Stdout, goals)
	if err == nil && missed > 0 {
		err = fmt.Errorf("%d of %d goals are not reached", missed, len(goals))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "goals:", err)
		os.Exit(1)
	}
}

// line is a benchmark's: its name, the processors, how often it ran, and values with units.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// judge copies in to out and appends a line for each goal.
func judge(in io.Reader, out io.Writer, goals []goal) (missed int, err error) {
	type figure struct{ benchmark, unit string }
	figures := map[figure][]float64{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fmt.Fprintln(out, lines.Text())
		m := line.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		fields := strings.Fields(m[2])
		for i := 0; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return 0, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			f := figure{m[1], fields[i+1]}
			figures[f] = append(figures[f], v)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	fmt.Fprintln(out)
	for _, g := range goals {
		word, than := "reached", "at most"
		if g.atLeast {
			than = "at least"
		}
		list := slices.Sorted(slices.Values(figures[figure{g.benchmark, g.unit}]))
		if len(list) == 0 {
			missed++
			fmt.Fprintf(out, "not measured  %s, %s: %s %g asked\n", g.benchmark, g.unit, than, g.bound)
			continue
		}
		median := list[len(list)/2]
		if g.atLeast && median < g.bound || !g.atLeast && median > g.bound {
			word = "FALLS SHORT"
			missed++
		}
		fmt.Fprintf(out, "%-12s  %s, %s: %g (%g to %g), %s %g asked\n", word, g.benchmark, g.unit, median, list[0], list[len(list)-1], than, g.bound)
	}
	return missed, nil
}
