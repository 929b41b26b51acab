package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/server"
)

// Priorities of requests, half and half.
const (
	usual = iota
	low
)

// result is what became of one work.
type result struct {
	Work        string    `json:"work"`
	Goal        bool      `json:"goal"`
	Peak        float64   `json:"peak"`    // answers a second, the most that a closed loop got
	PeakConns   int       `json:"atConns"` // with so many connections
	UnloadedP50 float64   `json:"unloadedP50ms"`
	UnloadedP99 float64   `json:"unloadedP99ms"`
	Offered     float64   `json:"offered"`
	Goodput     float64   `json:"goodput"`
	P50         float64   `json:"p50ms"` // of all that were accepted, from when they were due
	P99         float64   `json:"p99ms"`
	SteadyP99   float64   `json:"steadyP99ms"`  // without the first second
	UsualP99    float64   `json:"usualP99ms"`   // without those of low priority
	RefusedP99  float64   `json:"refusedP99ms"` // until the refusal
	UsualShare  float64   `json:"usualRefused"` // of those offered
	LowShare    float64   `json:"lowRefused"`
	Health      []watched `json:"health"`
	MemoryMB    float64   `json:"memoryMB"` // the most, since its start; before the overload
	IdleMB      float64   `json:"idleMB"`
	Errors      int       `json:"errors"`
	First       string    `json:"firstError,omitempty"`
}

// unloadedShare of the peak is no load to speak of.
const unloadedShare = 0.1

func (m *measurement) work(ctx context.Context, w work) error {
	if !strings.Contains(w.name, m.only) {
		return nil
	}
	loaded, err := m.store.Ensure(ctx, m.bin, spec)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(m.dir, "")
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if err := m.store.Copy(loaded, data); err != nil {
		return err
	}
	p, err := server.Start(ctx, server.Config{Binary: m.bin, Data: data, Work: dir, CPUs: m.serverCPU, Flags: w.flags})
	if err != nil {
		return err
	}
	r, err := m.measure(ctx, w, p)
	if err == nil {
		m.results = append(m.results, r)
	} else {
		err = fmt.Errorf("%w\nthe server's last words:\n%s", err, p.LogTail())
	}
	return errors.Join(err, p.Stop())
}

func (m *measurement) measure(ctx context.Context, w work, p *server.Process) (r result, err error) {
	client, err := dataset.Login(ctx, p.Addr, server.Email, server.Password)
	if err != nil {
		return r, err
	}
	tokens, err := client.Tokens(ctx, spec.Users)
	if err != nil {
		return r, err
	}
	r = result{Work: w.name, Goal: w.goal}
	req := w.requests(p.Addr, tokens)
	plain := func(o load.Options) (load.Result, error) {
		o.Addr, o.Kinds = p.Addr, []load.Kind{{Name: "plain", Status: http.StatusOK, Refused: http.StatusServiceUnavailable}}
		o.Script = load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) { return req.next(dst, usual), load.Shot{} })
		return load.Run(ctx, o)
	}
	for _, conns := range []int{1, 2, 4, 8, 16, 32} { // the first also warms up
		got, err := plain(load.Options{Conns: conns, Duration: m.length / 8})
		if err != nil {
			return r, err
		}
		if conns > 1 && got.PerSecond() > r.Peak {
			r.Peak, r.PeakConns = got.PerSecond(), conns
		}
	}
	quiet, err := plain(load.Options{Conns: 64, Duration: m.length / 2, Rate: r.Peak * unloadedShare})
	if err != nil {
		return r, err
	}
	r.UnloadedP50, r.UnloadedP99 = at(quiet.Latencies(), 50), at(quiet.Latencies(), 99)
	memory, err := p.Memory()
	if err != nil {
		return r, err
	}
	r.IdleMB = float64(memory.Resident) / (1 << 20)
	if err := m.overload(ctx, w, p, client, req, &r); err != nil {
		return r, err
	}
	if memory, err = p.Memory(); err != nil {
		return r, err
	}
	r.MemoryMB = float64(memory.Peak) / (1 << 20)
	log.Printf("%s: peak %.0f/s, p99 %.1f ms unloaded; offered %.0f/s: goodput %.0f/s, p50 %.1f, p99 %.1f ms, steady %.1f ms; refused %.0f %% of usual ones, %.0f %% of low; %d errors %s; %v",
		w.name, r.Peak, r.UnloadedP99, r.Offered, r.Goodput, r.P50, r.P99, r.SteadyP99, 100*r.UsualShare, 100*r.LowShare, r.Errors, r.First, r.Health)
	return r, nil
}

// Kinds of the overload: priority, and whether it is still the first second.
func kind(priority int, first bool) int {
	if first {
		return 2 + priority
	}
	return priority
}

// overload offers three times the peak at once, to a server that has nothing to do.
func (m *measurement) overload(ctx context.Context, w work, p *server.Process, client *dataset.Client, req *requests, r *result) error {
	var kinds []load.Kind
	for _, name := range []string{"usual", "low", "usual, first", "low, first"} {
		kinds = append(kinds, load.Kind{Name: name, Status: http.StatusOK, Refused: http.StatusServiceUnavailable})
	}
	watchers, end := watch(ctx, client, p)
	length := m.length
	if w.cheap {
		length /= 5
	}
	var began time.Time
	n := 0
	got, err := load.Run(ctx, load.Options{
		Addr: p.Addr, Conns: w.conns, Duration: length, Rate: 3 * r.Peak, Kinds: kinds,
		Script: load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
			if began.IsZero() {
				began = time.Now()
			}
			n++
			priority := n % 2
			return req.next(dst, priority), load.Shot{Kind: kind(priority, time.Since(began) < time.Second)}
		}),
	})
	end()
	if err != nil {
		return err
	}
	r.Health, r.Errors, r.First = watchers(), got.Errors, got.FirstError
	r.Offered, r.Goodput = float64(n)/length.Seconds(), float64(got.Completed)/got.Elapsed.Seconds()
	all, steady, refused := got.Latencies(), merged(got.ByKind[:2]), merged(got.Refused)
	r.P50, r.P99, r.SteadyP99, r.RefusedP99 = at(all, 50), at(all, 99), at(steady, 99), at(refused, 99)
	r.UsualP99 = at(merged([]*hdrhistogram.Histogram{got.ByKind[usual], got.ByKind[kind(usual, true)]}), 99)
	share := func(priority int) float64 {
		first := kind(priority, true)
		no := got.Refused[priority].TotalCount() + got.Refused[first].TotalCount()
		yes := got.ByKind[priority].TotalCount() + got.ByKind[first].TotalCount()
		return float64(no) / float64(max(no+yes, 1))
	}
	r.UsualShare, r.LowShare = share(usual), share(low)
	return nil
}

func merged(list []*hdrhistogram.Histogram) *hdrhistogram.Histogram {
	all := load.NewHistogram()
	for _, h := range list {
		all.Merge(h)
	}
	return all
}

// at is a quantile in milliseconds.
func at(h *hdrhistogram.Histogram, percent float64) float64 {
	return float64(h.ValueAtQuantile(percent)) / 1000
}
