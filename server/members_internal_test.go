package server

import (
	"testing"
	"time"

	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/topology"
)

// TestStreamLag: 0 is said where nothing is lacking, and nothing where nobody knows.
func TestStreamLag(t *testing.T) {
	const unknown = -1
	well := cluster.Status{Epoch: position.Epoch{Timeline: 2}, Frontier: 500, Leased: true, Age: 30 * time.Millisecond}
	for name, tt := range map[string]struct {
		change func(s *cluster.Status, hosts *topology.Status)
		bytes  int
		ms     float64
	}{
		"it has all":                     {func(*cluster.Status, *topology.Status) {}, 0, 0},
		"it has more than was probed":    {func(s *cluster.Status, _ *topology.Status) { s.Frontier = 700 }, 0, 0},
		"it lacks something":             {func(s *cluster.Status, _ *topology.Status) { s.Frontier = 480 }, 20, 30},
		"the lease has ended":            {func(s *cluster.Status, _ *topology.Status) { s.Leased, s.Age = false, time.Minute }, 0, 60_000},
		"there is no primary":            {func(_ *cluster.Status, h *topology.Status) { h.Flush = 0 }, unknown, 30},
		"the primary is another one":     {func(_ *cluster.Status, h *topology.Status) { h.Timeline = 3 }, unknown, 30},
		"it has not heard of all yet":    {func(s *cluster.Status, _ *topology.Status) { s.Leased, s.Age, s.Frontier = false, -1, 400 }, 100, unknown},
		"it has heard of nothing at all": {func(s *cluster.Status, _ *topology.Status) { *s = cluster.Status{Age: -1} }, unknown, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			s, hosts := well, topology.Status{Timeline: 2, Flush: 500}
			tt.change(&s, &hosts)
			lag, bytes, ms := lagOf(s, hosts), unknown, float64(unknown)
			if lag.bytes != nil {
				bytes = int(*lag.bytes)
			}
			if lag.ms != nil {
				ms = *lag.ms
			}
			if bytes != tt.bytes || ms != tt.ms {
				t.Errorf("%d bytes, %v ms; want %d and %v (-1: not known)", bytes, ms, tt.bytes, tt.ms)
			}
		})
	}
}
