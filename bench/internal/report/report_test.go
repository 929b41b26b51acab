package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rates makes a series whose rounds have the given throughput.
func rates(label string, perSecond ...float64) Series {
	s := Series{Label: label, PeakMemory: 50 << 20}
	for _, r := range perSecond {
		s.Samples = append(s.Samples, Sample{Completed: 100, PerSecond: r, P50: 1000, P99: 1e6 / r, CPU: 1e6 / r})
	}
	return s
}

// idle makes a series that left a share of the machine unused.
func idle(share float64, s Series) Series {
	for i := range s.Samples {
		s.Samples[i].Idle = share
	}
	return s
}

func workload(name string, series ...Series) Workload {
	return Workload{Name: name, Title: name, Conns: 32, Rounds: 3, Duration: time.Second, Compare: Throughput, Series: series}
}

func TestRatioIsTakenWithinARound(t *testing.T) {
	// The machine was half as fast in the second round. The ratio does not care.
	w := workload("view", rates(Pando, 800, 400, 1000), rates(Peer, 100, 50, 100))
	got, err := w.Ratio(Throughput, Pando, Peer)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Figure{Median: 8, Min: 8, Max: 10}, got); diff != "" {
		t.Error(diff)
	}
	// Of processor time and latency less is better; the ratio says so.
	for _, m := range []Metric{CPU, P99} {
		if got, err := w.Ratio(m, Pando, Peer); err != nil || got.Median < 7.9 || got.Median > 8.1 {
			t.Errorf("%s: %+v, %v; want about 8", m, got, err)
		}
	}
}

func TestRatioWithErrorsIsVoid(t *testing.T) {
	bad := rates(Pando, 800, 800)
	bad.Samples[1].Errors, bad.Samples[1].FirstError = 3, "status 500"
	ended := rates(Pando, 800)
	ended.Fault = "the server ended"
	silent := rates(Pando, 800)
	silent.Samples[0].Completed = 0
	for _, s := range []Series{bad, ended, silent, {Label: Pando}} {
		w := workload("view", s, rates(Peer, 100, 100))
		if f, err := w.Ratio(Throughput, Pando, Peer); err == nil {
			t.Errorf("ratio %+v though: %s", f, s.Void())
		}
	}
	w := workload("view", rates(Pando, 800))
	if _, err := w.Ratio(Throughput, Pando, Peer); !errors.Is(err, errNotMeasured) {
		t.Errorf("ratio to a server that did not take part: %v", err)
	}
}

func TestFigure(t *testing.T) {
	for _, tt := range []struct {
		in   []float64
		want Figure
	}{
		{[]float64{5}, Figure{5, 5, 5}},
		{[]float64{3, 1, 2}, Figure{2, 1, 3}},
		{[]float64{4, 1, 2, 3}, Figure{2.5, 1, 4}},
	} {
		if got := figureOf(tt.in); got != tt.want {
			t.Errorf("figureOf(%v) = %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

// TestJudge classifies every outcome that a goal can have.
func TestJudge(t *testing.T) {
	wrong := rates(Pando, 900)
	wrong.Samples[0].Errors = 1
	heavy := rates(Pando, 900)
	heavy.PeakMemory = 121 << 20
	start := Series{Label: Pando, Samples: []Sample{{Completed: 1, Extra: map[string]float64{string(StartTime): 99, string(IdleMemory): 41}}}}
	killed := rates(Pando)
	killed.Fault = "the server ended during the round"
	tests := []struct {
		name     string
		workload Workload
		title    string
		target   string
		want     Status
		measured string
	}{
		{"reached", workload("view", rates(Pando, 800, 900), rates(Peer, 100, 100)), "view one record, cached", "≥ 8 × PocketBase", Pass, "8.5 × (8 to 9)"},
		{"reached exactly", workload("view", rates(Pando, 800), rates(Peer, 100)), "view one record, cached", "≥ 8 × PocketBase", Pass, "8 ×"},
		{"missed", workload("view", rates(Pando, 799), rates(Peer, 100)), "view one record, cached", "≥ 8 × PocketBase", Short, "7.99 ×"},
		{"of bare", workload("view", rates(Pando, 790), rates(Bare, 1000)), "view one record, cached", "≥ 0.8 of the bare handler", Short, "0.79 ×"},
		{"wrong answers", workload("view", wrong, rates(Peer, 100)), "view one record, cached", "≥ 8 × PocketBase", Void, "pando: 1 wrong answers in a round, the first: "},
		{"peer did not run", workload("view", rates(Pando, 800)), "view one record, cached", "≥ 8 × PocketBase", Missing, ""},
		{"other workload", workload("create", rates(Pando, 800), rates(Peer, 100)), "view one record, cached", "≥ 8 × PocketBase", Missing, ""},
		{"memory", workload("mix", rates(Pando, 800)), "memory, most under that load", "≤ 120 MB", Pass, "50 MB"},
		{"too much memory", workload("mix", heavy), "memory, most under that load", "≤ 120 MB", Short, "121 MB"},
		{"start", workload("startup", start), "ready on an empty directory", "≤ 100 ms", Pass, "99 ms"},
		{"idle memory", workload("startup", start), "memory, idle", "≤ 40 MB", Short, "41 MB"},
		{"killed", workload("memory-limit", killed), "memory limit 256 MB, 100,000 records, 95/5 mix", "not killed", Short, "the server ended during the round"},
		{"two processors", workload("scale-view", rates(OneCPU, 100), idle(0.1, rates(TwoCPUs, 100))), "one core to two: view", "≥ 1.7 × by processor time", Pass,
			"1.8 ×; throughput beside the generator 1 × (1 to 1)"},
		{"two processors of which one waits", workload("scale-view", rates(OneCPU, 100), idle(0.5, rates(TwoCPUs, 100))), "one core to two: view", "≥ 1.7 × by processor time", Short,
			"1 ×; throughput beside the generator 1 × (1 to 1)"},
		{"two processors, one of them bare of rounds", workload("scale-view", rates(OneCPU), rates(TwoCPUs, 100)), "one core to two: view", "≥ 1.7 × by processor time", Void,
			"pando, 1 processor: no rounds"},
		{"elsewhere", workload("view"), "cached read in process, without HTTP", "< 1 µs, 0 allocations for the validity check", Missing, "by a Go benchmark, see bench/README.md"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Run{Name: "test", Workloads: []Workload{tt.workload}}
			for _, v := range Judge(r, Goals) {
				if v.Goal.Title == tt.title && v.Goal.Target == tt.target {
					if v.Status != tt.want || v.Measured != tt.measured {
						t.Errorf("%q: %s, %q; want %s, %q", tt.title, v.Status, v.Measured, tt.want, tt.measured)
					}
					return
				}
			}
			t.Errorf("no goal %q, %q", tt.title, tt.target)
		})
	}
}

func sample() *Run {
	odd := rates("pando", 10)
	odd.Samples[0].Errors, odd.Samples[0].FirstError = 2, "status 500 | with a bar\nand <b>markup</b>"
	return &Run{Name: "test", Machine: Machine{CPU: "cpu", Cores: 2, Memory: 1 << 30, Kernel: "6", Go: "go1.26"}, Workloads: []Workload{
		workload("view", rates(Pando, 54783, 50000), rates(Peer, 5655, 5600), rates(Bare, 58854, 58000)),
		workload("create", odd, rates(Peer, 100)),
		workload("update", rates(Pando, 10), rates(Peer, 100)),
	}}
}

func TestMarkdown(t *testing.T) {
	md := sample().Markdown()
	for _, want := range []string{
		"| view one record, cached | ≥ 8 × PocketBase | 9.31 × (8.93 to 9.69) | pass |",
		"| update | ≥ 4 × PocketBase | 0.1 × | **FALLS SHORT** |",
		"| 52,392 (50,000 to 54,783) |",
		"VOID",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the report lacks %q:\n%s", want, md)
		}
	}
	for line := range strings.Lines(md) {
		if strings.HasPrefix(line, "|") && !strings.HasSuffix(line, "|\n") {
			t.Errorf("broken table line %q", line)
		}
	}
}

// TestGoalsShown: only the report of everything lists what it has not measured.
func TestGoalsShown(t *testing.T) {
	r := sample()
	for name, want := range map[string]bool{"latest": true, "large": false} {
		r.Name = name
		md := r.Markdown()
		for _, other := range []string{"| memory, idle |", "| cached read in process, without HTTP |", "10,000,000 records: view |"} {
			if strings.Contains(md, other) != want {
				t.Errorf("%s: goal %q shown: %t, want %t", name, other, !want, want)
			}
		}
		for _, own := range []string{"| view one record, cached | ≥ 8 ×", "| create, on disk before the answer |", "| memory, most under that load |"} {
			if !strings.Contains(md, own) {
				t.Errorf("%s: goal %q is not shown", name, own)
			}
		}
	}
	r.Name = "large"
	// Of a workload that was run, but not against what its goal asks for.
	r.Workloads = []Workload{workload("view", rates(Pando, 1))}
	if md := r.Markdown(); !strings.Contains(md, "| view one record, cached | ≥ 8 × PocketBase |  | not measured |") {
		t.Errorf("a goal without its peer is not shown:\n%s", md)
	}
	r.Workloads = []Workload{workload("auth-refresh", rates(Pando, 1))}
	if md := r.Markdown(); strings.Contains(md, "## Goals") {
		t.Errorf("an empty table of goals:\n%s", md)
	}
}

func TestPictureIsWellFormed(t *testing.T) {
	for _, r := range []*Run{sample(), {Name: "empty <&>"}} {
		d := xml.NewDecoder(strings.NewReader(r.Picture()))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", r.Name, err, r.Picture())
			}
		}
	}
	svg := sample().Picture()
	if !strings.Contains(svg, ">view<") || !strings.Contains(svg, ">9.31 ×<") {
		t.Errorf("no bar for view:\n%s", svg)
	}
	if strings.Contains(svg, ">create<") {
		t.Error("a bar for a void figure")
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Error("the picture has coordinates that are no numbers")
	}
}

func TestWriteAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	r := sample()
	base, err := r.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(base + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*r, got); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files, %v; want .json, .md and .svg", len(entries), err)
	}
	if empty, err := Read(filepath.Join(dir, "none.json")); err != nil || len(empty.Workloads) != 0 {
		t.Errorf("a result that is not there: %+v, %v", empty, err)
	}
}

func TestReplace(t *testing.T) {
	r := sample()
	r.Replace(workload("create", rates(Pando, 1)))
	r.Replace(workload("login", rates(Pando, 2)))
	var names []string
	for _, w := range r.Workloads {
		names = append(names, w.Name)
	}
	if diff := cmp.Diff([]string{"view", "create", "update", "login"}, names); diff != "" {
		t.Error(diff)
	}
	if v := r.Workloads[1].Of(Pando).Void(); v != "" {
		t.Errorf("the old workload is still there: %s", v)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01234: "0.0123", 9.996: "10", 12.34: "12.3", 123.4: "123", 999.9: "1000", 1234: "1,234", 1234567: "1,234,567"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

// TestGoalsAreComplete is one half of a check; the other is in package workload.
func TestGoalsAreComplete(t *testing.T) {
	for _, g := range Goals {
		if g.Title == "" || g.Target == "" || (g.measure != nil) != (g.Workload != "") {
			t.Errorf("goal %+v is incomplete", g)
		}
	}
}
