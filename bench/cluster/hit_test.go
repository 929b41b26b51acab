package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/server"
	"github.com/pandobase/pando/test/target"
)

// BenchmarkCachedView compares a view that a server has in its memory with handlers that
// do nothing: /livez of the same server, which is behind the same listener and routes,
// and a bare handler on net/http that gives the same bytes. Goal: 0.85.
func BenchmarkCachedView(b *testing.B) {
	s := newStage(b, 1000)
	m := s.Members[0]
	s.warm(b, s.Members[:1])
	bare := b.TempDir() + "/answer"
	captured, err := server.Capture(host(m), view(nil, m, 1))
	if err == nil {
		err = captured.Write(bare)
	}
	if err != nil {
		b.Fatal(err)
	}
	bareAddr := freeAddr(b)
	go func() { b.Error(server.ServeBare(bare, bareAddr)) }() // it returns only if it cannot serve
	run := func(addr string, request func(dst []byte, rng *rand.Rand) []byte) float64 {
		rng := rand.New(rand.NewPCG(1, 2))
		r, err := load.Run(b.Context(), load.Options{Addr: addr, Conns: 32, Kinds: reads, Duration: 2 * time.Second,
			Script: load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) { return request(dst, rng), load.Shot{} })})
		if err != nil || r.Errors > 0 {
			b.Fatal(err, r.FirstError)
		}
		return r.PerSecond()
	}
	one := func(dst []byte, rng *rand.Rand) []byte { return view(dst, m, rng.IntN(s.rows)) }
	for b.Loop() {
		var views, nothing, bares []float64
		for range 5 {
			nothing = append(nothing, run(host(m), func(dst []byte, _ *rand.Rand) []byte {
				return fmt.Appendf(dst, "GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n", host(m))
			}))
			views = append(views, run(host(m), one))
			bares = append(bares, run(bareAddr, one))
		}
		b.ReportMetric(ratio(views, nothing), "of-livez")
		b.ReportMetric(ratio(views, bares), "of-bare")
		b.ReportMetric(median(views), "views/s")
	}
}

func freeAddr(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// ratio is the median of the rounds' ratios.
func ratio(of, to []float64) float64 {
	var list []float64
	for i := range of {
		list = append(list, of[i]/to[i])
	}
	return median(list)
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// BenchmarkReadersOfOneKey has 10,000 connections ask two servers for one record, which
// is changed twice a second by the third. Goal: one query per server and change.
func BenchmarkReadersOfOneKey(b *testing.B) {
	const readers, changes, every = 10_000, 20, 500 * time.Millisecond
	s := newStage(b, 100)
	writer, others := s.Members[0], s.Members[1:]
	s.warm(b, s.Members)
	for b.Loop() {
		var stop atomic.Bool
		before := s.sum(b, others, "pando_db_reads_total", "")
		done := make(chan []load.Result, 1)
		go func() {
			defer close(done) // whatever each makes of wrong answers
			done <- s.each(b, others, func(m *target.Member, _ *rand.Rand) load.Options {
				return load.Options{Conns: readers / len(others), Kinds: reads, Duration: time.Minute, Stop: &stop,
					Script: load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) { return view(dst, m, 0), load.Shot{} })}
			})
		}()
		for n := range changes {
			wait(b.Context(), every)
			s.must(b, writer, "PATCH", records+"/"+keyID(0), object{"n": n + 1}, nil)
		}
		wait(b.Context(), every)
		stop.Store(true)
		asked := 0
		results, ok := <-done
		if !ok {
			b.FailNow()
		}
		for _, r := range results {
			asked += r.Completed
		}
		queries := s.sum(b, others, "pando_db_reads_total", "") - before
		b.ReportMetric(queries/changes/float64(len(others)), "queries/server/change")
		b.ReportMetric(float64(asked)/changes, "reads/change")
	}
}
