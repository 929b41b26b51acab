package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// table is the medians of the rounds, and Pando's to HAProxy's round by round.
func (m *measurement) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Load balancers, measured\n\nThree web servers on net/http behind each; %d rounds of %s in turn; medians, and the ratio of Pando's figure to HAProxy's by round (median, least to most). `go run ./bench/cmd/balancers`\n\n%d processors, %s, %s\n\n",
		m.rounds, m.length, runtime.NumCPU(), runtime.Version(), firstLine(m.haproxy))
	b.WriteString("| work | | no balancer | HAProxy | pando lb | ratio | goal |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, w := range works {
		for _, f := range []struct {
			name, format, goal string
			of                 func(r result) float64
		}{
			{"per second", "%.0f", "≥ 0.95", func(r result) float64 { return r.PerSecond }},
			{"CPU µs each", "%.1f", w.cpuGoal(), func(r result) float64 { return r.CPU }},
			{"p50 ms", "%.2f", "", func(r result) float64 { return r.P50 }},
			{"p99 ms", "%.2f", "≤ 1.25", func(r result) float64 { return r.P99 }},
			{"dials per 1,000", "%.2f", "≤ 1", func(r result) float64 { return r.Dials }},
			{"errors", "%.0f", "0", func(r result) float64 { return float64(r.Errors) }},
		} {
			by := map[string][]float64{}
			for _, r := range m.results {
				if r.Work == w.name {
					by[r.Contender] = append(by[r.Contender], f.of(r))
				}
			}
			pando, haproxy, direct := by["pando lb"], by["haproxy"], by["no balancer"]
			if len(pando) == 0 {
				continue
			}
			ratio := ""
			if f.name != "errors" && f.name != "dials per 1,000" {
				var ratios []float64
				for i := range pando {
					ratios = append(ratios, pando[i]/haproxy[i])
				}
				ratio = fmt.Sprintf("%.2f (%.2f–%.2f)", median(ratios), slices.Min(ratios), slices.Max(ratios))
			}
			show := func(list []float64) string { return fmt.Sprintf(f.format, median(list)) }
			none := show(direct)
			if len(direct) == 0 || f.name == "CPU µs each" || f.name == "dials per 1,000" {
				none = ""
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", w.name, f.name, none, show(haproxy), show(pando), ratio, f.goal)
		}
	}
	for _, secure := range []bool{false, true} {
		by := map[string]float64{}
		for _, i := range m.idles {
			if i.TLS == secure {
				by[i.Contender] = i.KB
			}
		}
		if len(by) == 0 {
			continue
		}
		name, goal := "idle connections", "≤ 8"
		if secure {
			name, goal = "idle connections over TLS", "≤ 40"
		}
		fmt.Fprintf(&b, "| %s | KB each | | %.1f | %.1f | %.2f | %s |\n", name, by["haproxy"], by["pando lb"], by["pando lb"]/by["haproxy"], goal)
	}
	return b.String()
}

// cpuGoal is in HAProxy's processor time.
func (w work) cpuGoal() string {
	if w.tls {
		return "≤ 1.1"
	}
	return "≤ 1"
}

func median(list []float64) float64 {
	list = slices.Clone(list)
	slices.Sort(list)
	n := len(list)
	if n == 0 {
		return 0
	}
	return (list[(n-1)/2] + list[n/2]) / 2
}

func firstLine(program string) string {
	out, err := exec.Command(program, "-v").Output()
	if err != nil {
		return program
	}
	line, _, _ := strings.Cut(string(out), "\n")
	if at := strings.Index(line, " 20"); at > 0 {
		line = line[:at]
	}
	return strings.TrimSpace(line)
}
