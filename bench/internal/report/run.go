package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Everything is the name of the run that is to measure every goal.
const Everything = "latest"

// Run is everything that was measured under one name.
type Run struct {
	Name      string     `json:"name"`
	Machine   Machine    `json:"machine"`
	Workloads []Workload `json:"workloads"`
}

// Machine is what the benchmarks ran on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// Workload is one kind of work, done by several servers in turn.
type Workload struct {
	Name     string            `json:"name"`
	Title    string            `json:"title"`
	Started  time.Time         `json:"started"`
	Data     string            `json:"data"`
	Conns    int               `json:"conns"`
	Rate     float64           `json:"rate,omitempty"` // requests per second offered; 0 for as many as possible
	Rounds   int               `json:"rounds"`
	Duration time.Duration     `json:"duration"`          // of a round, nanoseconds
	Compare  Metric            `json:"compare"`           // what ratios are made of
	Against  string            `json:"against,omitempty"` // label that ratios are shown to; "" is PocketBase
	Versions map[string]string `json:"versions"`          // of the servers by label
	Series   []Series          `json:"series"`
}

// Series is what one server did in all rounds of a workload.
type Series struct {
	Label   string   `json:"label"`
	Fault   string   `json:"fault,omitempty"` // why there are no figures, or no more
	Samples []Sample `json:"samples"`

	IdleMemory int64 `json:"idleMemory"` // bytes resident before the first request
	PeakMemory int64 `json:"peakMemory"` // most bytes resident at any time
}

// Sample is one round of one server.
type Sample struct {
	Completed    int     `json:"completed"`
	Errors       int     `json:"errors"`
	FirstError   string  `json:"firstError,omitempty"`
	Reconnects   int     `json:"reconnects,omitempty"`
	PerSecond    float64 `json:"perSecond"`
	P50          float64 `json:"p50"`          // µs
	P99          float64 `json:"p99"`          // µs
	CPU          float64 `json:"cpu"`          // processor time of the server per request, µs
	GeneratorCPU float64 `json:"generatorCPU"` // of the load generator per request, µs
	Idle         float64 `json:"idle"`         // share of the machine's processors that nobody used, 0 to 1

	Extra map[string]float64 `json:"extra,omitempty"` // figures of one workload only
}

// Label of a server that runs without any special condition is its kind.
const (
	Pando = "pando"
	Peer  = "pocketbase"
	Bare  = "bare"
)

// Metric names a figure of a [Sample]; others than these are names in Extra.
type Metric string

// The metrics that every workload has.
const (
	Throughput Metric = "throughput"
	CPU        Metric = "cpu"
	P99        Metric = "p99"
)

// Of returns the metric's value in s.
func (m Metric) Of(s Sample) float64 {
	switch m {
	case Throughput:
		return s.PerSecond
	case CPU:
		return s.CPU
	case P99:
		return s.P99
	}
	return s.Extra[string(m)]
}

// Of returns the series with a label, nil if the workload has none.
func (w *Workload) Of(label string) *Series {
	for i := range w.Series {
		if w.Series[i].Label == label {
			return &w.Series[i]
		}
	}
	return nil
}

// Void says why the series' figures do not count, empty when they do.
func (s *Series) Void() string {
	if s.Fault != "" {
		return s.Fault
	}
	if len(s.Samples) == 0 {
		return "no rounds"
	}
	for _, sample := range s.Samples {
		if sample.Errors > 0 {
			return fmt.Sprintf("%d wrong answers in a round, the first: %s", sample.Errors, sample.FirstError)
		}
		if sample.Completed == 0 {
			return "a round without an answer"
		}
	}
	return ""
}

// Replace puts w in the place of the workload of the same name, or at the end.
func (r *Run) Replace(w Workload) {
	for i := range r.Workloads {
		if r.Workloads[i].Name == w.Name {
			r.Workloads[i] = w
			return
		}
	}
	r.Workloads = append(r.Workloads, w)
}

// Read reads the run saved at path. A file that is not there is an empty run.
func Read(path string) (Run, error) {
	var r Run
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
