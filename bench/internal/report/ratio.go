package report

import (
	"fmt"
	"slices"
)

// Figure is the median of some values, with their extremes.
type Figure struct {
	Median, Min, Max float64
}

// figureOf returns the figure of values, which must not be empty.
func figureOf(values []float64) Figure {
	v := slices.Sorted(slices.Values(values))
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	return Figure{Median: mid, Min: v[0], Max: v[len(v)-1]}
}

// Figure returns the figure of a metric over the rounds of s.
func (s *Series) Figure(m Metric) Figure {
	values := make([]float64, len(s.Samples))
	for i, sample := range s.Samples {
		values[i] = m.Of(sample)
	}
	return figureOf(values)
}

// Ratio compares two series round by round. It is above 1 when the series
// called label is the better one: throughput is divided as it is, of anything
// else less is better and the quotient is turned over. The error says why
// there is no valid ratio.
func (w *Workload) Ratio(m Metric, label, against string) (Figure, error) {
	a, b := w.Of(label), w.Of(against)
	if a == nil || b == nil {
		return Figure{}, errNotMeasured
	}
	for _, s := range []*Series{a, b} {
		if why := s.Void(); why != "" {
			return Figure{}, fmt.Errorf("%s: %s", s.Label, why)
		}
	}
	var ratios []float64
	for i := range min(len(a.Samples), len(b.Samples)) {
		x, y := m.Of(a.Samples[i]), m.Of(b.Samples[i])
		if m != Throughput {
			x, y = y, x
		}
		if y <= 0 {
			return Figure{}, fmt.Errorf("round %d: %s is too small to be measured", i+1, m)
		}
		ratios = append(ratios, x/y)
	}
	return figureOf(ratios), nil
}
