package cluster

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/test/target"
)

// BenchmarkColdAfterFailover kills the primary under readers, promotes a replica and
// wipes the cache servers at the same moment: nothing that was remembered may be used.
// Goals: the queries to the new primary stay within the servers' pools, p99 of the reads
// from then on under a second.
func BenchmarkColdAfterFailover(b *testing.B) {
	const rate, seconds = 1000.0, 8
	for b.Loop() {
		s := newStage(b, 100_000)
		s.warm(b, s.Members)
		old := s.Primary()
		if err := old.Kill(); err != nil {
			b.Fatal(err)
		}
		if err := s.Promote(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
		promoted := time.Now()
		if err := s.Primary().Set(b.Context(), "synchronous_standby_names", ""); err != nil {
			b.Fatal(err)
		}
		for _, r := range s.Caches {
			if err := r.Wipe(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		// Backends of the servers at the new primary, looked at 20 times a second.
		most, stop := 0, make(chan struct{})
		var looking sync.WaitGroup
		looking.Go(func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				text, err := s.SQL(b.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()")
				if n, bad := strconv.Atoi(strings.TrimSpace(text)); err == nil && bad == nil {
					most = max(most, n)
				}
			}
		})
		counts := make([]*coldCount, len(s.Members))
		var all sync.WaitGroup
		for i, m := range s.Members {
			all.Go(func() { counts[i] = s.readCold(b, m, rate/float64(len(s.Members)), seconds*time.Second, promoted) })
		}
		all.Wait()
		close(stop)
		looking.Wait()
		sum := coldCount{latencies: load.NewHistogram()}
		for _, c := range counts {
			sum.latencies.Merge(c.latencies)
			sum.refused += c.refused
			sum.aged += c.aged
			sum.first = max(sum.first, c.first)
		}
		b.ReportMetric(float64(sum.latencies.ValueAtQuantile(50))/1000, "read-p50-ms")
		b.ReportMetric(float64(sum.latencies.ValueAtQuantile(99))/1000, "read-p99-ms")
		b.ReportMetric(float64(sum.latencies.Max())/1000, "read-max-ms")
		b.ReportMetric(float64(sum.refused), "refused")
		b.ReportMetric(float64(sum.aged), "marked-Age")
		b.ReportMetric(sum.first.Seconds()*1000, "first-unmarked-ms")
		b.ReportMetric(float64(most), "busy-backends-at-primary")
		b.Logf("%d reads", sum.latencies.TotalCount())
	}
}

// coldCount is what the readers of one server were answered.
type coldCount struct {
	mu            sync.Mutex
	latencies     *hdrhistogram.Histogram
	refused, aged int
	first         time.Duration // from the promotion to the first answer that is not marked
}

// readCold reads records by a Zipf law, at a fixed rate whether answers come or not.
// Latencies count from when a request was due.
func (s *stage) readCold(b *testing.B, m *target.Member, rate float64, d time.Duration, promoted time.Time) *coldCount {
	c := &coldCount{latencies: load.NewHistogram()}
	ranks := load.NewZipf(rand.New(rand.NewPCG(3, 4)), 0.99, s.rows)
	every := time.Duration(float64(time.Second) / rate)
	var all sync.WaitGroup
	defer all.Wait()
	for due, end := time.Now(), time.Now().Add(d); due.Before(end); due = due.Add(every) {
		wait(b.Context(), time.Until(due))
		path := records + "/" + keyID(ranks.Rank())
		all.Go(func() {
			a, err := ask(b.Context(), m, "GET", path, "", nil)
			c.mu.Lock()
			defer c.mu.Unlock()
			switch {
			case err != nil || a.status != http.StatusOK:
				c.refused++
			case a.old:
				c.aged++
			default:
				load.RecordLatency(c.latencies, time.Since(due))
				if c.first == 0 {
					c.first = time.Since(promoted)
				}
			}
		})
	}
	return c
}
