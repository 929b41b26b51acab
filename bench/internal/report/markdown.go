package report

import (
	"fmt"
	"strings"
	"time"
)

// Markdown is the report as text: verdicts first, then every figure.
func (r *Run) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark: %s\n\n", r.Name)
	m := r.Machine
	fmt.Fprintf(&b, "%s, %d processors, %.0f GiB, Linux %s, %s. ", m.CPU, m.Cores, float64(m.Memory)/(1<<30), m.Kernel, m.Go)
	b.WriteString("Median of the rounds, smallest to largest in parentheses; ratios are taken within a round. How to read and repeat it: [bench/README.md](../README.md).\n\n")
	fmt.Fprintf(&b, "![ratio to PocketBase](%s.svg)\n\n", r.Name)
	r.verdicts(&b)
	for i := range r.Workloads {
		r.Workloads[i].table(&b)
	}
	return b.String()
}

func (r *Run) verdicts(b *strings.Builder) {
	b.WriteString("## Goals\n\n| work | goal | measured | |\n|---|---|---|---|\n")
	for _, v := range Judge(r, Goals) {
		status := string(v.Status)
		if v.Status == Short || v.Status == Void {
			status = "**" + status + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", v.Goal.Title, v.Goal.Target, cell(v.Measured), status)
	}
	b.WriteByte('\n')
}

func (w *Workload) table(b *strings.Builder) {
	fmt.Fprintf(b, "## %s: %s\n\n", w.Name, w.Title)
	load := fmt.Sprintf("%d connections", w.Conns)
	if w.Rate > 0 {
		load += fmt.Sprintf(", %g requests a second offered", w.Rate)
	}
	fmt.Fprintf(b, "%s; %s; %d rounds of %v; %s.\n\n", w.Data, load, w.Rounds, w.Duration, w.Started.UTC().Format(time.DateTime))
	b.WriteString("| server | per second | p50 ms | p99 ms | CPU µs each | peak MB | ")
	fmt.Fprintf(b, "%s × PocketBase | errors |\n|---|--:|--:|--:|--:|--:|--:|--:|\n", w.Compare)
	for i := range w.Series {
		w.row(b, &w.Series[i])
	}
	w.extras(b)
	b.WriteByte('\n')
}

func (w *Workload) row(b *strings.Builder, s *Series) {
	name := s.Label
	if v := w.Versions[s.Label]; v != "" {
		name += " " + v
	}
	if s.Fault != "" || len(s.Samples) == 0 {
		fmt.Fprintf(b, "| %s | VOID | | | | %.0f | | %s |\n", name, float64(s.PeakMemory)/megabyte, cell(s.Void()))
		return
	}
	errors := "0"
	void := ""
	if why := s.Void(); why != "" {
		errors, void = cell(why), " (VOID)"
	}
	ratio := ""
	if f, err := w.Ratio(w.Compare, s.Label, Peer); err == nil && s.Label != Peer {
		ratio = fmt.Sprintf("**%.3g** (%.3g to %.3g)", f.Median, f.Min, f.Max)
	}
	rate := s.Figure(Throughput)
	fmt.Fprintf(b, "| %s | %s (%s to %s)%s | %s | %s | %s | %.0f | %s | %s |\n", name,
		number(rate.Median), number(rate.Min), number(rate.Max), void,
		milliseconds(s.p50()), milliseconds(s.Figure(P99)), number(s.Figure(CPU).Median),
		float64(s.PeakMemory)/megabyte, ratio, errors)
}

// extras lists the figures that only this workload has.
func (w *Workload) extras(b *strings.Builder) {
	for i := range w.Series {
		s := &w.Series[i]
		if len(s.Samples) == 0 || len(s.Samples[0].Extra) == 0 {
			continue
		}
		var parts []string
		for _, name := range sortedKeys(s.Samples[0].Extra) {
			f := s.Figure(Metric(name))
			parts = append(parts, fmt.Sprintf("%s %s (%s to %s)", name, number(f.Median), number(f.Min), number(f.Max)))
		}
		fmt.Fprintf(b, "\n- %s: %s", s.Label, strings.Join(parts, ", "))
	}
	b.WriteByte('\n')
}

func (s *Series) p50() Figure {
	values := make([]float64, len(s.Samples))
	for i, sample := range s.Samples {
		values[i] = sample.P50
	}
	return figureOf(values)
}

// milliseconds formats a figure that is in microseconds.
func milliseconds(f Figure) string { return number(f.Median / 1000) }

// number formats a number to three digits, and larger ones in full.
func number(v float64) string {
	switch {
	case v >= 1000:
		s := fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// cell makes text fit for a table's cell.
func cell(s string) string {
	s = strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ").Replace(s)
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + " …"
	}
	return s
}
