package report

import "fmt"

// capacity is a goal of at least bound times the capacity on one processor when
// there are two. Throughput cannot show it where the load generator runs on the
// same two: the server never has the second one to itself. What the server could
// do with both follows from the processor time that a request costs, if nothing
// but that time holds it up; so what stayed idle is taken off, as that is what a
// server leaves that waits for its own locks.
func capacity(workload, title string, bound float64) Goal {
	return Goal{
		Workload: workload, Title: title, Target: fmt.Sprintf("≥ %g × by processor time", bound),
		Bound: bound, Against: OneCPU, unit: " ×",
		measure: func(r *Run) (Figure, error) {
			w, err := r.find(workload)
			if err != nil {
				return Figure{}, err
			}
			return w.capacityRatio(TwoCPUs, OneCPU)
		},
		note: func(r *Run) string {
			w, err := r.find(workload)
			if err != nil {
				return ""
			}
			f, err := w.Ratio(Throughput, TwoCPUs, OneCPU)
			if err != nil {
				return ""
			}
			return fmt.Sprintf("; throughput beside the generator %s × (%s to %s)", number(f.Median), number(f.Min), number(f.Max))
		},
	}
}

// capacityRatio is what two processors can do for two of them, by one's.
func (w *Workload) capacityRatio(two, one string) (Figure, error) {
	if _, err := w.Ratio(CPU, two, one); err != nil {
		return Figure{}, err
	}
	a, b := w.Of(two), w.Of(one)
	var ratios []float64
	for i := range min(len(a.Samples), len(b.Samples)) {
		x, y := a.Samples[i], b.Samples[i]
		ratios = append(ratios, 2*(1-x.Idle)*y.CPU/x.CPU)
	}
	return figureOf(ratios), nil
}
