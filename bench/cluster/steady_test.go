package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/test/target"
)

// mix is 99 reads to 1 write, of records drawn by a Zipf law.
func (s *stage) mix(m *target.Member, rng *rand.Rand) load.Script {
	ranks := load.NewZipf(rng, 0.99, s.rows)
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		i := ranks.Rank()
		if rng.IntN(100) == 0 {
			return update(dst, m, i, rng.Uint64()), load.Shot{Kind: 1}
		}
		return view(dst, m, i), load.Shot{}
	})
}

// BenchmarkSteadyState is 100,000 records, 99 reads to 1 write by a Zipf law with s =
// 0.99, on three warm servers: at a rate that leaves the machine room, and as fast as 16
// connections to each server can. Goals: under 1.2 read queries per 100 reads to any
// database, under 0.1 to the primary.
func BenchmarkSteadyState(b *testing.B) {
	s := newStage(b, 100_000)
	s.warm(b, s.Members)
	for _, rate := range []float64{3000, 0} {
		b.Run(map[bool]string{true: "saturated", false: fmt.Sprintf("%.0f", rate)}[rate == 0], func(b *testing.B) {
			for b.Loop() {
				s.steady(b, rate)
			}
		})
	}
}

func (s *stage) steady(b *testing.B, rate float64) {
	b.Helper()
	all, primary := s.queries(b, s.Members)
	results := s.each(b, s.Members, func(m *target.Member, rng *rand.Rand) load.Options {
		return load.Options{Conns: 16, Kinds: readsMade, Duration: 20 * time.Second, Rate: rate / float64(len(s.Members)), Script: s.mix(m, rng)}
	})
	done, perSecond := 0.0, 0.0
	for _, r := range results {
		done += float64(r.ByKind[0].TotalCount())
		perSecond += r.PerSecond()
	}
	allAfter, primaryAfter := s.queries(b, s.Members)
	b.ReportMetric(100*(allAfter-all)/done, "queries/100reads")
	b.ReportMetric(100*(primaryAfter-primary)/done, "primary-queries/100reads")
	b.ReportMetric(perSecond, "requests/s")
}

// queries is how many reads the databases have answered, and the primary of them.
func (s *stage) queries(b *testing.B, members []*target.Member) (all, primary float64) {
	b.Helper()
	return s.sum(b, members, "pando_db_reads_total", ""), s.sum(b, members, "pando_db_reads_total", `role="primary"`)
}

// BenchmarkNewServer has a fourth server come to a warm cluster under load and takes its
// hit rate, memory and cache servers together, over time. Goal: 90 % of the steady hit
// rate within a second.
func BenchmarkNewServer(b *testing.B) {
	s := newStage(b, 100_000)
	s.warm(b, s.Members)
	const perServer = 400
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		others := s.Members[:3]
		steady := make(chan struct{})
		go func() { // the load on the others goes on all the time
			defer close(steady)
			s.each(b, others, func(m *target.Member, rng *rand.Rand) load.Options {
				return load.Options{Conns: 16, Kinds: readsMade, Duration: 15 * time.Second, Rate: perServer, Script: s.mix(m, rng)}
			})
		}()
		wait(ctx, 2*time.Second)
		before, _ := s.queries(b, others)
		wait(ctx, 3*time.Second)
		after, _ := s.queries(b, others)
		usual := 1 - (after-before)/(0.99*3*perServer*3)
		fresh := s.Add(ctx, b)
		b.ReportMetric(100*usual, "steady-hit-%")
		newcomer := []*target.Member{fresh}
		for second := 1; second <= 2; second++ {
			from, _ := s.queries(b, newcomer)
			r := s.each(b, newcomer, func(m *target.Member, _ *rand.Rand) load.Options {
				rng := rand.New(rand.NewPCG(99, uint64(second)))
				return load.Options{Conns: 16, Kinds: readsMade, Duration: time.Second, Rate: perServer, Script: s.mix(m, rng)}
			})[0]
			to, _ := s.queries(b, newcomer)
			b.ReportMetric(100*(1-(to-from)/float64(r.ByKind[0].TotalCount())), map[int]string{1: "first-second-hit-%", 2: "second-second-hit-%"}[second])
		}
		<-steady
	}
}
