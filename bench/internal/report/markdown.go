package report

import (
	"cmp"
	"fmt"
	"slices"
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
	verdicts := r.judged()
	if len(verdicts) == 0 {
		return
	}
	b.WriteString("## Goals\n\n| work | goal | measured | |\n|---|---|---|---|\n")
	for _, v := range verdicts {
		status := string(v.Status)
		if v.Status == Short || v.Status == Void {
			status = "**" + status + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", v.Goal.Title, v.Goal.Target, cell(v.Measured), status)
	}
	b.WriteByte('\n')
}

// judged is the verdicts to be shown: on every goal, so that none is forgotten,
// in the report of everything; else on those that its workloads are for.
func (r *Run) judged() []Verdict {
	verdicts := Judge(r, Goals)
	if r.Name == Everything {
		return verdicts
	}
	return slices.DeleteFunc(verdicts, func(v Verdict) bool {
		_, err := r.find(v.Goal.Workload)
		return v.Status == Missing && err != nil
	})
}

func (w *Workload) table(b *strings.Builder) {
	fmt.Fprintf(b, "## %s: %s\n\n", w.Name, w.Title)
	b.WriteString(w.conditions())
	b.WriteString("| server | per second | p50 ms | p99 ms | CPU µs each | MB idle | MB peak | ")
	against := "PocketBase"
	if w.against() != Peer {
		against = w.against()
	}
	fmt.Fprintf(b, "%s × %s | errors |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", w.Compare, against)
	for i := range w.Series {
		w.row(b, &w.Series[i])
	}
	w.extras(b)
	b.WriteByte('\n')
}

func (w *Workload) against() string { return cmp.Or(w.Against, Peer) }

// conditions is a line that says what the figures hold for.
func (w *Workload) conditions() string {
	var parts []string
	if w.Data != "" {
		parts = append(parts, w.Data, plural(w.Conns, "connection"))
	}
	if w.Rate > 0 {
		parts = append(parts, fmt.Sprintf("%g requests a second offered", w.Rate))
	}
	parts = append(parts, plural(w.Rounds, "round")+" of "+w.Duration.String(), w.Started.UTC().Format(time.DateTime))
	return strings.Join(parts, "; ") + ".\n\n"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (w *Workload) row(b *strings.Builder, s *Series) {
	name := s.Label
	if v := w.Versions[s.Label]; v != "" {
		name += " " + v
	}
	idle, peak := megabytes(s.IdleMemory), megabytes(s.PeakMemory)
	if s.Fault != "" || len(s.Samples) == 0 {
		fmt.Fprintf(b, "| %s | VOID | | | | %s | %s | | %s |\n", name, idle, peak, cell(s.Void()))
		return
	}
	errors, rate := "0", s.Figure(Throughput)
	figures := fmt.Sprintf("%s (%s to %s)", number(rate.Median), number(rate.Min), number(rate.Max))
	if why := s.Void(); why != "" {
		errors, figures = cell(why), figures+" VOID"
	}
	figures += fmt.Sprintf(" | %s | %s | %s", milliseconds(s.p50()), milliseconds(s.Figure(P99)), number(s.Figure(CPU).Median))
	if rate.Max == 0 {
		figures = " | | | " // what was measured is below the table
	}
	ratio := ""
	if f, err := w.Ratio(w.Compare, s.Label, w.against()); err == nil && s.Label != w.against() {
		ratio = fmt.Sprintf("**%s** (%s to %s)", number(f.Median), number(f.Min), number(f.Max))
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", name, figures, idle, peak, ratio, errors)
}

// megabytes formats a size in bytes, empty for one that is not known.
func megabytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", float64(n)/megabyte)
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
