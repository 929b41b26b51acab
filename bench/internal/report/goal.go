package report

import (
	"errors"
	"fmt"
)

// Status is the outcome of a goal.
type Status string

// The outcomes.
const (
	Pass    Status = "pass"
	Short   Status = "FALLS SHORT"
	Void    Status = "VOID"
	Missing Status = "not measured"
)

var errNotMeasured = errors.New("not measured")

// Goal is a line of the table "Speed and size it must reach".
type Goal struct {
	Workload string // name of the workload that it is measured by
	Title    string
	Target   string // in words
	Bound    float64
	AtMost   bool   // the bound is an upper one
	Survive  bool   // not to get through the workload at all is to fall short
	Against  string // label that the ratio is taken to; empty for an absolute bound
	own      Metric // of a bound for a figure of Pando's own
	measure  func(*Run) (Figure, error)
	unit     string            // follows the figure
	note     func(*Run) string // follows what was measured; nil: nothing
}

// Verdict is a goal with what was measured.
type Verdict struct {
	Goal     Goal
	Status   Status
	Figure   Figure // zero unless Status is Pass or Short
	Measured string // the figure in words, or why there is none
}

// Judge measures every goal against r.
func Judge(r *Run, goals []Goal) []Verdict {
	verdicts := make([]Verdict, len(goals))
	for i, g := range goals {
		verdicts[i] = g.judge(r)
	}
	return verdicts
}

func (g Goal) judge(r *Run) Verdict {
	v := Verdict{Goal: g, Status: Missing}
	if g.measure == nil {
		v.Measured = "by a Go benchmark, see bench/README.md"
		return v
	}
	f, err := g.measure(r)
	switch {
	case errors.Is(err, errNotMeasured):
		return v
	case err != nil && g.Survive:
		v.Status, v.Measured = Short, err.Error()
		return v
	case err != nil:
		v.Status, v.Measured = Void, err.Error()
		return v
	case g.AtMost && f.Median <= g.Bound, !g.AtMost && f.Median >= g.Bound:
		v.Status = Pass
	default:
		v.Status = Short
	}
	v.Figure = f
	v.Measured = number(f.Median) + g.unit
	if f.Min != f.Max {
		v.Measured += fmt.Sprintf(" (%s to %s)", number(f.Min), number(f.Max))
	}
	if g.note != nil {
		v.Measured += g.note(r)
	}
	return v
}

// find returns the workload of a name.
func (r *Run) find(name string) (*Workload, error) {
	for i := range r.Workloads {
		if r.Workloads[i].Name == name {
			return &r.Workloads[i], nil
		}
	}
	return nil, errNotMeasured
}

// times is a goal of at least bound times the throughput of another series.
func times(workload, title string, bound float64, label, against, target string) Goal {
	return Goal{
		Workload: workload, Title: title, Target: target, Bound: bound, Against: against, unit: " ×",
		measure: func(r *Run) (Figure, error) {
			w, err := r.find(workload)
			if err != nil {
				return Figure{}, err
			}
			return w.Ratio(Throughput, label, against)
		},
	}
}

func timesPeer(workload, title string, bound float64) Goal {
	return times(workload, title, bound, Pando, Peer, fmt.Sprintf("≥ %g × PocketBase", bound))
}

func ofBare(workload, title string, bound float64) Goal {
	return times(workload, title, bound, Pando, Bare, fmt.Sprintf("≥ %g of the bare handler", bound))
}

// atMost is a goal of at most bound for a figure of Pando's own.
func atMost(workload, title string, m Metric, bound float64, target, unit string) Goal {
	g := Goal{Workload: workload, Title: title, Target: target, Bound: bound, AtMost: true, unit: unit}
	g.own, g.measure = m, ownFigure(workload, Pando, m)
	return g
}

// atLeast is one of at least bound.
func atLeast(workload, title string, m Metric, bound float64, target, unit string) Goal {
	g := atMost(workload, title, m, bound, target, unit)
	g.AtMost = false
	return g
}

// onPostgres makes g a goal for Pando on PostgreSQL.
func onPostgres(g Goal) Goal {
	g.measure = ownFigure(g.Workload, OnPostgres, g.own)
	return g
}

func ownFigure(workload, label string, m Metric) func(*Run) (Figure, error) {
	return func(r *Run) (Figure, error) {
		w, err := r.find(workload)
		if err != nil {
			return Figure{}, err
		}
		s := w.Of(label)
		if s == nil {
			return Figure{}, errNotMeasured
		}
		if why := s.Void(); why != "" {
			return Figure{}, errors.New(why)
		}
		return s.Figure(m), nil
	}
}

// survives makes g a goal that an ended server does not reach.
func survives(g Goal) Goal {
	g.Survive = true
	return g
}

const megabyte = 1 << 20

// peakMemory is the goal for the most memory that Pando took in any of the
// given workloads.
func peakMemory(title string, bound float64, workloads ...string) Goal {
	return Goal{
		Workload: workloads[0], Title: title, Target: fmt.Sprintf("≤ %g MB", bound), Bound: bound, AtMost: true, unit: " MB",
		measure: func(r *Run) (Figure, error) {
			var peaks []float64
			for _, name := range workloads {
				w, err := r.find(name)
				if err != nil {
					continue
				}
				s := w.Of(Pando)
				if s == nil {
					continue
				}
				if why := s.Void(); why != "" {
					return Figure{}, fmt.Errorf("%s: %s", name, why)
				}
				peaks = append(peaks, float64(s.PeakMemory)/megabyte)
			}
			if len(peaks) == 0 {
				return Figure{}, errNotMeasured
			}
			most := figureOf(peaks).Max
			return Figure{Median: most, Min: most, Max: most}, nil
		},
	}
}
