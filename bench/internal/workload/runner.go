package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/pandobase/pando/bench/internal/cluster"
	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
)

// Runner runs workloads.
type Runner struct {
	Targets  []server.Kind
	Binaries map[server.Kind]server.Binary
	Store    *dataset.Store
	Postgres *cluster.Server
	Scratch  string // directory for the servers' copies; emptied after each workload

	Rounds   int
	Duration time.Duration // of a round
	Conns    int

	LimitParent  string // control group for the workload memory-limit, see server.Limit
	LargeRecords int
	LargeUsers   int
	Profile      string // path prefix for profiles of Pando; empty for none

	// Small has everything work on 2,000 records and 5 users, at low rates and
	// without long waits: it shows whether the benchmark works, its figures mean
	// nothing.
	Small bool

	Log func(format string, args ...any)
}

// Run does one workload with every server. What goes wrong with a server is
// noted in the result; the error is for what ends the benchmark.
func (r *Runner) Run(ctx context.Context, w *Workload) (report.Workload, error) {
	result := report.Workload{
		Name: w.Name, Title: w.Title, Started: time.Now().UTC(),
		Conns: r.conns(w), Rate: r.rate(w), Rounds: r.roundsOf(w), Duration: r.Duration,
		Compare: cmp.Or(w.Compare, report.Throughput), Against: w.Against, Versions: make(map[string]string),
	}
	lineup := w.lineup(r)
	for _, c := range lineup {
		result.Versions[c.label] = r.Binaries[c.kind].Version
		if result.Data == "" && c.spec.Records > 0 {
			result.Data = c.spec.String()
		}
	}
	defer os.RemoveAll(r.Scratch)
	if w.Postgres {
		defer func() {
			if err := r.Postgres.Drop(context.WithoutCancel(ctx)); err != nil {
				r.Log("  %v", err)
			}
		}()
	}
	if w.Alone != nil {
		result.Series = r.alone(ctx, w, lineup)
		return result, ctx.Err()
	}
	sessions := r.openAll(ctx, w, lineup)
	r.rounds(ctx, w, sessions)
	r.profile(ctx, w, sessions)
	for _, s := range sessions {
		if s.proc != nil {
			if err := s.close(); err != nil {
				r.note(s, err)
			}
			if s.result.Void() != "" && ctx.Err() == nil {
				r.Log("  %s: figures are void; the server's last words:\n%s", s.label, s.proc.LogTail())
			}
		}
		result.Series = append(result.Series, s.result)
	}
	return result, ctx.Err()
}

// Has tells whether one of the runner's servers takes part in w.
func (r *Runner) Has(w *Workload) bool { return len(w.lineup(r)) > 0 }

func (r *Runner) conns(w *Workload) int { return cmp.Or(w.Conns, r.Conns) }

func (r *Runner) rate(w *Workload) float64 {
	if r.Small {
		return min(w.Rate, 200)
	}
	return w.Rate
}

// unlessSmall is full where figures are wanted, and small where they mean nothing.
func unlessSmall[T any](r *Runner, full, small T) T {
	if r.Small {
		return small
	}
	return full
}

func (r *Runner) roundsOf(w *Workload) int { return min(r.Rounds, cmp.Or(w.MaxRounds, r.Rounds)) }

// note keeps the first thing that went wrong with a server.
func (r *Runner) note(s *session, err error) {
	r.Log("  %s: %v", s.label, err)
	if s.result.Fault == "" {
		s.result.Fault = err.Error()
	}
}

// openAll starts the contenders and warms them up. One that does not start
// stays in the list with its fault.
func (r *Runner) openAll(ctx context.Context, w *Workload, lineup []contender) []*session {
	var sessions []*session
	var source *session // whose answers the bare handler gives
	for _, c := range lineup {
		var s *session
		err := ctx.Err()
		switch {
		case err != nil:
		case c.kind == server.Bare && source == nil:
			err = errors.New("no other server to take an answer from")
		case c.kind == server.Bare:
			s, err = r.openBare(ctx, w, c, source)
		default:
			s, err = r.open(ctx, w, c)
		}
		if s == nil || err != nil {
			s = &session{contender: c}
			s.result.Label = c.label
			r.note(s, err)
		} else if source == nil {
			source = s
		}
		s.result.Label = c.label
		sessions = append(sessions, s)
	}
	for _, s := range sessions {
		if s.result.Fault == "" {
			r.warmUp(ctx, w, s)
		}
	}
	return sessions
}

// warmUp does a short round that does not count. What it leaves in caches is
// what a server has a moment after it was started under load.
func (r *Runner) warmUp(ctx context.Context, w *Workload, s *session) {
	if m, err := s.proc.Memory(); err == nil {
		s.result.IdleMemory = m.Resident
	}
	if w.Script == nil {
		return
	}
	_, err := load.Run(ctx, load.Options{
		Addr: s.proc.Addr, Conns: r.conns(w), Kinds: w.Kinds, Script: s.script(w, -1), Duration: r.Duration / 4,
	})
	if err != nil {
		r.note(s, fmt.Errorf("warm-up: %w", err))
	}
}

// rounds lets the servers work in turn. The order changes from round to
// round, so that none always follows the same other one.
func (r *Runner) rounds(ctx context.Context, w *Workload, sessions []*session) {
	measure := w.Measure
	if measure == nil {
		measure = drive
	}
	for round := range r.roundsOf(w) {
		for i := range sessions {
			s := sessions[(i+round)%len(sessions)]
			if s.result.Fault != "" || ctx.Err() != nil {
				continue
			}
			sample, err := measure(ctx, r, w, s, round)
			if err == nil && !s.proc.Alive() {
				err = errors.New("the server ended during the round")
			}
			if err != nil {
				r.note(s, fmt.Errorf("round %d: %w", round+1, err))
				continue
			}
			s.result.Samples = append(s.result.Samples, sample)
			r.Log("  %d/%d %-22s %s", round+1, r.roundsOf(w), s.label, summary(sample))
		}
	}
}

// alone does the rounds of a workload whose servers live for one round.
func (r *Runner) alone(ctx context.Context, w *Workload, lineup []contender) []report.Series {
	series := make([]report.Series, len(lineup))
	for i, c := range lineup {
		series[i].Label = c.label
	}
	for round := range r.roundsOf(w) {
		for i := range lineup {
			i = (i + round) % len(lineup)
			if series[i].Fault != "" || ctx.Err() != nil {
				continue
			}
			sample, err := w.Alone(ctx, r, lineup[i], round)
			if err != nil {
				r.Log("  %s: %v", lineup[i].label, err)
				series[i].Fault = err.Error()
				continue
			}
			series[i].Samples = append(series[i].Samples, sample)
			series[i].PeakMemory = max(series[i].PeakMemory, int64(sample.Extra[string(report.PeakMemory)]*(1<<20)))
			r.Log("  %d/%d %-22s %s", round+1, r.roundsOf(w), lineup[i].label, summary(sample))
		}
	}
	return series
}

func summary(s report.Sample) string {
	text := fmt.Sprintf("%9.0f/s  p50 %8.3f ms  p99 %8.3f ms  %7.1f µs CPU", s.PerSecond, s.P50/1000, s.P99/1000, s.CPU)
	if s.PerSecond == 0 {
		text = ""
	}
	for _, name := range slices.Sorted(maps.Keys(s.Extra)) {
		text += fmt.Sprintf("  %s %.4g", name, s.Extra[name])
	}
	if s.Errors > 0 {
		text += fmt.Sprintf("  %d ERRORS: %s", s.Errors, s.FirstError)
	}
	return text
}
