package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
)

// withPeak is a round of the mix that also says how much memory the server
// has taken so far.
func withPeak(ctx context.Context, r *Runner, w *Workload, s *session, round int) (report.Sample, error) {
	sample, err := drive(ctx, r, w, s, round)
	if err != nil {
		return sample, err
	}
	m, err := s.proc.Memory()
	if err != nil {
		return sample, fmt.Errorf("killed at the limit of %d MB: %w", memoryLimit>>20, err)
	}
	sample.Extra = map[string]float64{string(report.PeakMemory): float64(m.Peak) / (1 << 20)}
	if charged, ok := s.proc.Peak(); ok {
		sample.Extra["chargedMegabytes"] = float64(charged) / (1 << 20)
	}
	return sample, nil
}

// The views of login-storm leave an idle server mostly idle.
const (
	stormRate   = 500
	stormLogins = 200
)

// loginStorm measures views at a fixed rate, first alone and then while 200
// connections log in at once, each once.
func loginStorm(ctx context.Context, r *Runner, w *Workload, s *session, round int) (report.Sample, error) {
	idle, err := drive(ctx, r, w, s, round)
	if err != nil {
		return idle, err
	}
	var over atomic.Bool
	done := make(chan error, 1)
	var storm load.Result
	logIns := stormLogins
	if r.Small {
		logIns = 5
	}
	go func() {
		var err error
		storm, err = load.Run(ctx, load.Options{
			Addr: s.proc.Addr, Conns: logIns, PerConn: 1, Kinds: logins,
			Script: login(s, rand.New(rand.NewPCG(seed, uint64(round)))), Duration: time.Minute, Timeout: 2 * time.Minute,
		})
		over.Store(true)
		done <- err
	}()
	sample, err := s.measured(func() (load.Result, error) {
		return load.Run(ctx, load.Options{
			Addr: s.proc.Addr, Conns: w.Conns, Rate: r.rate(w), Kinds: w.Kinds,
			Script: s.script(w, round), Duration: 2 * time.Minute, Stop: &over,
		})
	})
	if stormErr := <-done; stormErr != nil {
		return sample, fmt.Errorf("logins: %w", stormErr)
	}
	if err != nil {
		return sample, err
	}
	if storm.Errors > 0 {
		sample.Errors += storm.Errors
		sample.FirstError = storm.FirstError
	}
	sample.Extra = map[string]float64{
		"p99IdleMilliseconds":     idle.P99 / 1000,
		string(report.StormRatio): sample.P99 / max(idle.P99, 1),
		"loginsPerSecond":         storm.PerSecond(),
	}
	return sample, nil
}

// startUp starts a server on an empty directory and reads its memory a second
// after it is ready.
func startUp(ctx context.Context, r *Runner, c contender, round int) (report.Sample, error) {
	dir := filepath.Join(r.Scratch, fmt.Sprintf("startup-%s-%d", c.kind, round))
	data, work := filepath.Join(dir, "data"), filepath.Join(dir, "work")
	for _, d := range []string{data, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return report.Sample{}, err
		}
	}
	p, err := server.Start(ctx, server.Config{Binary: r.Binaries[c.kind], Data: data, Work: work})
	if err != nil {
		return report.Sample{}, err
	}
	defer p.Stop()
	if err := wait(ctx, unlessSmall(r, time.Second, 100*time.Millisecond)); err != nil {
		return report.Sample{}, err
	}
	m, err := p.Memory()
	if err != nil {
		return report.Sample{}, err
	}
	return report.Sample{Completed: 1, Extra: map[string]float64{
		string(report.StartTime):  float64(p.StartTime.Microseconds()) / 1000,
		string(report.IdleMemory): float64(m.Resident) / (1 << 20),
		string(report.PeakMemory): float64(m.Peak) / (1 << 20),
	}}, nil
}
