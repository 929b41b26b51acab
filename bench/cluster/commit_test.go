package cluster

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/test/target"
)

// BenchmarkCommitToAnswer is how long an answer to a write waits, once its COMMIT has
// returned, until every server knows of it: open loop, a third of the writes to each
// server. Goals: at 100 a second p50 1 ms and p99 3 ms, at 1,000 a second p50 1.5 ms.
func BenchmarkCommitToAnswer(b *testing.B) {
	s := newStage(b, 10_000)
	for _, rate := range []float64{100, 200, 1000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			writes := []load.Kind{{Name: "update", Status: http.StatusOK}}
			for b.Loop() {
				before := s.held(b)
				results := s.each(b, s.Members, func(m *target.Member, rng *rand.Rand) load.Options {
					return load.Options{Conns: 32, Kinds: writes, Duration: 10 * time.Second, Rate: rate / float64(len(s.Members)),
						Script: load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
							return update(dst, m, rng.IntN(s.rows), rng.Uint64()), load.Shot{}
						})}
				})
				all, done := load.NewHistogram(), 0.0
				for _, r := range results {
					all.Merge(r.Latencies())
					done += r.PerSecond()
				}
				waited := s.held(b)
				b.ReportMetric(1000*waited.quantile(before, 0.5), "held-p50-ms")
				b.ReportMetric(1000*waited.quantile(before, 0.99), "held-p99-ms")
				b.ReportMetric(float64(all.ValueAtQuantile(50))/1000, "write-p50-ms")
				b.ReportMetric(float64(all.ValueAtQuantile(99))/1000, "write-p99-ms")
				b.ReportMetric(done, "writes/s")
			}
		})
	}
}

// buckets count by upper bound, in seconds.
type buckets map[float64]float64

func (s *stage) held(b *testing.B) buckets {
	b.Helper()
	sum := buckets{}
	for _, m := range s.Members {
		all, err := m.Metrics(b.Context(), "pando_cluster_commit_held_seconds_bucket")
		if err != nil {
			b.Fatal(err)
		}
		for labels, n := range all {
			if bound, err := strconv.ParseFloat(strings.Trim(strings.TrimPrefix(labels, "{le="), `"}`), 64); err == nil {
				sum[bound] += n
			}
		}
	}
	return sum
}

// quantile is q of what was counted since before, between the bounds of its bucket.
func (c buckets) quantile(before buckets, q float64) float64 {
	var bounds []float64
	for bound := range c {
		bounds = append(bounds, bound)
	}
	sort.Float64s(bounds)
	total := c[bounds[len(bounds)-1]] - before[bounds[len(bounds)-1]]
	below, least := 0.0, 0.0
	for _, bound := range bounds {
		upTo := c[bound] - before[bound]
		if upTo >= q*total {
			return least + (bound-least)*(q*total-below)/(upTo-below)
		}
		below, least = upTo, bound
	}
	return least
}
