package workload

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
)

// Workload is one kind of work.
type Workload struct {
	Name  string // as given to -workload
	Title string // for people
	Spec  dataset.Spec
	Large bool // only for "make bench-large"

	Conns   int     // connections; 0 for the number the run was given
	Rate    float64 // requests per second offered; 0 for the closed loop
	Compare report.Metric
	Against string // label of the series that others are shown as multiples of; "" is PocketBase
	Bare    bool   // the bare handler takes part
	Login   bool   // tokens must come from a login by password
	Guests  bool   // requests carry no token
	// Postgres says that PostgreSQL is needed.
	Postgres bool

	MaxRounds int // for a workload whose rounds take long; 0 for as many as the run was given

	// Kinds and Script make the requests. The script of a round is the same
	// for every server.
	Kinds  []load.Kind
	Script func(s *session, rng *rand.Rand) load.Script

	// Measure does one round where a script alone does not say it all.
	Measure func(ctx context.Context, r *Runner, w *Workload, s *session, round int) (report.Sample, error)

	// Alone does one round with a server that it starts itself.
	Alone func(ctx context.Context, r *Runner, c contender, round int) (report.Sample, error)

	// contenders makes those that take part out of the plain servers; nil
	// for the plain servers themselves.
	contenders func(r *Runner, plain []contender) []contender
}

// contender is a server under a condition.
type contender struct {
	label    string
	kind     server.Kind
	spec     dataset.Spec
	cpus     string
	limit    *server.Limit
	postgres bool // it keeps its records in PostgreSQL
	noCache  bool
}

// lineup is those that take part in w: bare comes last, since it needs an
// answer of another one.
func (w *Workload) lineup(r *Runner) []contender {
	all := w.all(r)
	for i := range all {
		if spec := &all[i].spec; r.Small && spec.Records > 0 {
			spec.Records, spec.Users, spec.Logins = min(spec.Records, 2000), min(spec.Users, 5), min(spec.Logins, 3)
		}
	}
	return all
}

func (w *Workload) all(r *Runner) []contender {
	var plain []contender
	for _, kind := range r.Targets {
		if kind != server.Bare {
			plain = append(plain, contender{label: string(kind), kind: kind, spec: w.Spec})
		}
	}
	if w.contenders != nil {
		return w.contenders(r, plain)
	}
	if w.Bare && slices.Contains(r.Targets, server.Bare) && len(plain) > 0 {
		plain = append(plain, contender{label: report.Bare, kind: server.Bare, spec: w.Spec})
	}
	return plain
}

// onProcessors has every server run on one and on two processors.
func onProcessors(_ *Runner, plain []contender) []contender {
	var all []contender
	for _, c := range plain {
		one, two := c, c
		one.label, one.cpus = string(c.kind)+", 1 processor", "0"
		two.label, two.cpus = string(c.kind)+", 2 processors", "0,1"
		all = append(all, one, two)
	}
	return all
}

// overPostgres has Pando and the bare handler work on PostgreSQL.
func overPostgres(r *Runner, plain []contender) []contender {
	all := onPostgres(plain)
	if slices.Contains(r.Targets, server.Bare) && len(all) > 0 {
		c := all[0]
		c.label, c.kind, c.noCache = report.PGX, server.PGX, false
		all = append(all, c)
	}
	return all
}

// besidePostgres has Pando work on PostgreSQL, on SQLite without a cache and as
// it comes, and PocketBase.
func besidePostgres(_ *Runner, plain []contender) []contender {
	all := onPostgres(plain)
	for _, c := range plain {
		if c.kind == server.Pando {
			without := c
			without.label, without.noCache = report.NoCache, true
			all = append(all, without)
		}
		all = append(all, c)
	}
	return all
}

// onPostgres is Pando on PostgreSQL, which has no cache.
func onPostgres(plain []contender) []contender {
	for _, c := range plain {
		if c.kind == server.Pando {
			c.label, c.postgres, c.noCache = report.OnPostgres, true, true
			return []contender{c}
		}
	}
	return nil
}

// replicated is Pando on PostgreSQL, for workloads that start it themselves.
func replicated(_ *Runner, plain []contender) []contender { return onPostgres(plain) }

// limited bounds every server's memory.
func limited(r *Runner, plain []contender) []contender {
	for i := range plain {
		plain[i].limit = &server.Limit{Bytes: memoryLimit, Parent: r.LimitParent}
	}
	return plain
}

// smallAndLarge has Pando compete with itself: ten thousand records against
// as many as the run was given.
func smallAndLarge(r *Runner, plain []contender) []contender {
	var all []contender
	for _, c := range plain {
		if c.kind != server.Pando {
			continue
		}
		small, large := c, c
		small.label, small.spec = report.Small, dataset.Spec{Records: 10_000, Users: 100, Indexed: true}
		large.label, large.spec = report.Large, dataset.Spec{
			Records: r.LargeRecords, Users: r.LargeUsers, Logins: min(100, r.LargeUsers), Indexed: true,
		}
		all = append(all, small, large)
	}
	return all
}

// smallAndLargeReads has the ten thousand without a cache take part as well. Of
// the large data hardly anything is asked for twice, while all of the small data
// is soon in the cache: what growing costs by itself shows beside this one.
func smallAndLargeReads(r *Runner, plain []contender) []contender {
	all := smallAndLarge(r, plain)
	for _, c := range all {
		if c.label == report.Small {
			c.label, c.noCache = report.SmallUncached, true
			all = append(all, c)
		}
	}
	return all
}
