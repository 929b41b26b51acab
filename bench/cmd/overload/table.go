package main

import (
	"fmt"
	"runtime"
	"strings"
)

// table is what was measured, for people.
func (m *measurement) table(loadCPU string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Overload, measured\n\n`pando serve` on processor %s, the load on processor %s, %s. 10,000 records. The peak is the best of closed loops with 2 to 32 connections; "+
		"without load is a tenth of it; then, from one moment to the next and for %s, requests at three times the peak, whether answered or not, half of them with "+
		"`Priority: u=6`. (creates and views, which are cheap: a fifth of that). Latencies count from when a request was due; goodput is until the last answer. `go run ./bench/cmd/overload`\n\n", m.serverCPU, loadCPU, runtime.Version(), m.length)
	b.WriteString("| work | peak/s | p50, p99 without load, ms | offered/s | goodput/s | of peak | p50, p99 of what is accepted, ms | × p99 without load | after the first second | refused: usual, low | refusals' p99, ms | memory before, at most, MB | errors |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range m.results {
		fmt.Fprintf(&b, "| %s | %.0f | %.1f, %.1f | %.0f | %.0f | %.2f | %.1f, %.1f | %.1f | %.1f | %.0f %%, %.0f %% | %.1f | %.0f, %.0f | %d |\n",
			r.Work, r.Peak, r.UnloadedP50, r.UnloadedP99, r.Offered, r.Goodput, r.Goodput/r.Peak, r.P50, r.P99, r.P99/r.UnloadedP99, r.SteadyP99/r.UnloadedP99,
			100*r.UsualShare, 100*r.LowShare, r.RefusedP99, r.IdleMB, r.MemoryMB, r.Errors)
	}
	b.WriteString("\nGoals: goodput 0.9 of the peak, p99 of what is accepted 3 × that without load.\n\nWhat must always be answered, meanwhile, asked 20 times a second, the last two twice:\n\n| work | | asked | failed | later than 50 ms | p99, longest, ms |\n|---|---|--:|--:|--:|--:|\n")
	for _, r := range m.results {
		for _, h := range r.Health {
			fmt.Fprintf(&b, "| %s | `%s` | %d | %d | %d | %.1f, %.1f |\n", r.Work, h.What, h.Asked, h.Failed, h.Late, h.P99, h.Longest)
		}
	}
	return b.String()
}
