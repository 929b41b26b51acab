package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/test/target"
)

// BenchmarkOutsideVisible has another program change single records over one connection
// of its own, as somebody in psql does, and takes the time from the return of COMMIT until
// the last of the servers shows the change. Every server has the record as it was in its
// memory. Goal: p99 50 ms.
func BenchmarkOutsideVisible(b *testing.B) {
	const changes = 500
	s := newStage(b, 1000)
	program, err := pgx.Connect(b.Context(), s.Primary().URL(s.Database, "postgres"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = program.Close(context.Background()) })
	s.warm(b, s.Members)
	rng, n := rand.New(rand.NewPCG(5, 6)), 0
	for b.Loop() {
		latencies := load.NewHistogram()
		for range changes {
			i := rng.IntN(s.rows)
			n++
			if _, err := program.Exec(b.Context(), "UPDATE items SET n = $1 WHERE id = $2", n, keyID(i)); err != nil {
				b.Fatal(err)
			}
			committed := time.Now()
			if err := s.shown(b.Context(), i, n); err != nil {
				b.Fatal(err)
			}
			load.RecordLatency(latencies, time.Since(committed))
		}
		b.ReportMetric(float64(latencies.ValueAtQuantile(50))/1000, "visible-p50-ms")
		b.ReportMetric(float64(latencies.ValueAtQuantile(99))/1000, "visible-p99-ms")
		b.ReportMetric(float64(latencies.Max())/1000, "visible-max-ms")
	}
}

// shown returns when every server shows n of a record, each of which is asked again half
// a millisecond after its answer: without that rest, who asks is most of what runs here.
func (s *stage) shown(ctx context.Context, i, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	errs := make([]error, len(s.Members))
	var all sync.WaitGroup
	for at, m := range s.Members {
		all.Go(func() { errs[at] = shows(ctx, m, i, n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func shows(ctx context.Context, m *target.Member, i, n int) error {
	for {
		var got struct{ N int }
		a, err := ask(ctx, m, "GET", records+"/"+keyID(i), "", nil)
		if err == nil {
			err = json.Unmarshal(a.body, &got)
		}
		switch {
		case err != nil || a.status != http.StatusOK || a.old:
			return fmt.Errorf("%s: %d, marked %v, %s: %w", m.Name, a.status, a.old, a.body, err)
		case got.N == n:
			return nil
		}
		if !wait(ctx, 500*time.Microsecond) {
			return fmt.Errorf("%s shows %d, and not %d", m.Name, got.N, n)
		}
	}
}
