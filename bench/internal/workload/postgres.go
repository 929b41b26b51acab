package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/pandobase/pando/bench/internal/cluster"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
	"github.com/pandobase/pando/internal/localcluster"
)

// trips counts round trips with a relay between Pando and PostgreSQL: how often
// one side spoke after the other. Pando's own watching of the host goes on
// meanwhile; what it takes in idle time is taken off.
func trips(ctx context.Context, r *Runner, c contender, round int) (report.Sample, error) {
	w := &Workload{Name: "trips", Guests: true}
	dir, err := r.directory(w, c)
	if err != nil {
		return report.Sample{}, err
	}
	loaded, err := r.Store.Ensure(ctx, r.Binaries[c.kind], c.spec)
	if err != nil {
		return report.Sample{}, err
	}
	work := filepath.Join(dir, "work")
	pg, name, err := r.Postgres.Fresh(ctx, r.Binaries[c.kind], loaded, work)
	if err != nil {
		return report.Sample{}, err
	}
	relay, err := pg.Relay()
	if err != nil {
		return report.Sample{}, err
	}
	defer relay.Close()
	s, err := r.startOn(ctx, c, dir, relay.URL(name, "postgres"))
	if err != nil {
		return report.Sample{}, err
	}
	defer s.close()
	before := relay.Turns()
	watched := unlessSmall(r, 2*time.Second, 500*time.Millisecond)
	if err := wait(ctx, watched); err != nil {
		return report.Sample{}, err
	}
	idle := float64(relay.Turns()-before) / watched.Seconds()
	requests := unlessSmall(r, 2000, 200) // of each kind
	sample := report.Sample{Extra: map[string]float64{}}
	for _, kind := range []struct {
		name   report.Metric
		kinds  []load.Kind
		script func(*session, *rand.Rand) load.Script
	}{
		{report.RoundTrips, views, view},
		{"roundTripsOfAList", lists, listFilter},
		{"roundTripsOfACreate", creates, create},
		{"roundTripsOfAnUpdate", updates, update},
	} {
		run := func(n int) (load.Result, error) {
			return load.Run(ctx, load.Options{
				Addr: s.proc.Addr, Conns: 1, PerConn: n, Kinds: kind.kinds, Duration: time.Minute,
				Script: kind.script(s, rand.New(rand.NewPCG(seed, uint64(round)))),
			})
		}
		if _, err := run(10); err != nil { // connections and statements are made
			return sample, err
		}
		before := relay.Turns()
		began := time.Now()
		res, err := run(requests)
		if err != nil {
			return sample, err
		}
		turns := float64(relay.Turns()-before) - idle*time.Since(began).Seconds()
		sample.Extra[string(kind.name)] = turns / float64(requests)
		sample.Completed, sample.Errors, sample.FirstError = sample.Completed+res.Completed, sample.Errors+res.Errors, res.FirstError
	}
	return sample, nil
}

// startOn starts a contender on a database that has its data.
func (r *Runner) startOn(ctx context.Context, c contender, dir, url string) (*session, error) {
	proc, err := server.Start(ctx, server.Config{
		Binary: r.Binaries[c.kind], Data: filepath.Join(dir, "data"), Work: filepath.Join(dir, "work"), Database: url, NoCache: true, // what is measured is what the database answers
	})
	if err != nil {
		return nil, err
	}
	return &session{contender: c, proc: proc}, nil
}

// onReplicas has f work with Pando on a primary and two replicas.
func onReplicas(
	ctx context.Context, r *Runner, c contender, f func(*session, *localcluster.Replicated) (report.Sample, error), order ...int,
) (report.Sample, error) {
	dir, err := r.directory(&Workload{Name: "replicas"}, c)
	if err != nil {
		return report.Sample{}, err
	}
	loaded, err := r.Store.Ensure(ctx, r.Binaries[c.kind], c.spec)
	if err != nil {
		return report.Sample{}, err
	}
	nodes, url, err := cluster.Replicated(ctx, r.Binaries[c.kind], loaded, filepath.Join(dir, "work"), order...)
	if err != nil {
		return report.Sample{}, err
	}
	defer func() {
		if err := nodes.Destroy(); err != nil {
			r.Log("  end PostgreSQL: %v", err)
		}
	}()
	s, err := r.startOn(ctx, c, dir, url)
	if err != nil {
		return report.Sample{}, err
	}
	defer s.close()
	return f(s, nodes)
}

// spread counts who is asked when nothing was written.
func spread(ctx context.Context, r *Runner, c contender, round int) (report.Sample, error) {
	return onReplicas(ctx, r, c, func(s *session, nodes *localcluster.Replicated) (report.Sample, error) {
		w := &Workload{Kinds: readsMixed, Script: viewAndList}
		if _, err := drive(ctx, r, w, s, -1); err != nil { // warm
			return report.Sample{}, err
		}
		before, err := readsOf(ctx, nodes)
		if err != nil {
			return report.Sample{}, err
		}
		sample, err := drive(ctx, r, w, s, round)
		if err != nil {
			return sample, err
		}
		after, err := readsOf(ctx, nodes)
		if err != nil {
			return sample, err
		}
		primary, all := after[0]-before[0], 0
		for i := range after {
			all += after[i] - before[i]
		}
		sample.Extra = map[string]float64{
			string(report.PrimaryShare):    100 * float64(primary) / float64(max(all, 1)),
			"percentReadByTheFirstReplica": 100 * float64(after[1]-before[1]) / float64(max(all, 1)),
		}
		return sample, nil
	}, 2, 0, 1)
}

// readsOf is how many statements each node has run that read records.
func readsOf(ctx context.Context, nodes *localcluster.Replicated) ([]int, error) {
	all := make([]int, len(nodes.Nodes()))
	for i, pg := range nodes.Nodes() {
		var err error
		if all[i], err = cluster.Reads(ctx, pg); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// frozen freezes each host in turn under requests at a fixed rate, in a list whose
// first host is a replica: reads and writes while a replica is frozen, reads alone
// while the primary is.
func frozen(ctx context.Context, r *Runner, c contender, round int) (report.Sample, error) {
	return onReplicas(ctx, r, c, func(s *session, nodes *localcluster.Replicated) (report.Sample, error) {
		total := report.Sample{Extra: map[string]float64{}}
		freezeFor := unlessSmall(r, 3*time.Second, 700*time.Millisecond)
		around := unlessSmall(r, time.Second, 500*time.Millisecond) // before, and after
		longest := 0.0
		for i, pg := range nodes.Nodes() {
			w, name := &Workload{Kinds: mixed, Script: mix}, fmt.Sprintf("longestMillisecondsReplica%dFrozen", i)
			if pg == nodes.Primary() {
				w, name = &Workload{Kinds: views, Script: view}, "longestMillisecondsPrimaryFrozen"
			}
			failed := make(chan error, 1)
			go func() { failed <- freeze(ctx, pg, around, freezeFor) }()
			res, err := load.Run(ctx, load.Options{
				Addr: s.proc.Addr, Conns: 16, Rate: 500, Kinds: w.Kinds, Script: w.Script(s, rand.New(rand.NewPCG(seed, uint64(i)))),
				Duration: around + freezeFor + around,
			})
			if frozen := <-failed; frozen != nil {
				return total, frozen
			}
			if err != nil {
				return total, err
			}
			ms := float64(res.Latencies().Max()) / 1000
			total.Extra[name], longest = ms, max(longest, ms)
			total.Completed, total.Errors = total.Completed+res.Completed, total.Errors+res.Errors
			if res.FirstError != "" {
				total.FirstError = res.FirstError
			}
			if err := wait(ctx, 2*around); err != nil { // it is used again
				return total, err
			}
		}
		total.Extra[string(report.FrozenWait)] = longest
		return total, nil
	}, 1, 0, 2)
}

// freeze has a host not answer for a while.
func freeze(ctx context.Context, pg *localcluster.Postgres, after, d time.Duration) error {
	if err := wait(ctx, after); err != nil {
		return err
	}
	if err := pg.Freeze(); err != nil {
		return err
	}
	err := wait(ctx, d)
	if thawed := pg.Thaw(); err == nil {
		err = thawed
	}
	return err
}
