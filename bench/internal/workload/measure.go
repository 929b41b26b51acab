package workload

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
)

// drive does one round of a workload that its script says all about.
func drive(ctx context.Context, r *Runner, w *Workload, s *session, round int) (report.Sample, error) {
	return s.measured(func() (load.Result, error) {
		return load.Run(ctx, load.Options{
			Addr: s.proc.Addr, Conns: r.conns(w), Rate: r.rate(w), Kinds: w.Kinds,
			Script: s.script(w, round), Duration: r.Duration,
		})
	})
}

// measured runs f and makes a sample of its result and of the processor time
// that server and generator took meanwhile, and that nobody took.
func (s *session) measured(f func() (load.Result, error)) (report.Sample, error) {
	before, err := s.proc.CPU()
	if err != nil {
		return report.Sample{}, fmt.Errorf("the server ended: %w", err)
	}
	machine, err := server.MachineTicks()
	if err != nil {
		return report.Sample{}, err
	}
	own := ownCPU()
	res, err := f()
	if err != nil {
		return report.Sample{}, err
	}
	own = ownCPU() - own
	now, err := server.MachineTicks()
	if err != nil {
		return report.Sample{}, err
	}
	after, err := s.proc.CPU()
	if err != nil {
		return report.Sample{}, fmt.Errorf("the server ended: %w", err)
	}
	sample := sampleOf(res, after-before, own)
	sample.Idle = now.IdleSince(machine)
	return sample, nil
}

func sampleOf(res load.Result, served, generator time.Duration) report.Sample {
	all := res.Latencies()
	sample := report.Sample{
		Completed: res.Completed, Errors: res.Errors, FirstError: res.FirstError, Reconnects: res.Reconnects,
		PerSecond: res.PerSecond(),
		P50:       float64(all.ValueAtQuantile(50)),
		P99:       float64(all.ValueAtQuantile(99)),
	}
	if n := res.Completed + res.Errors; n > 0 {
		sample.CPU = perRequest(served, n)
		sample.GeneratorCPU = perRequest(generator, n)
	}
	return sample
}

// perRequest is in microseconds.
func perRequest(d time.Duration, n int) float64 { return float64(d.Microseconds()) / float64(n) }

// ownCPU is the processor time that this program has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
