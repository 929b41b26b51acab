package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
	"github.com/pandobase/pando/bench/internal/workload"
)

// options are the command line, checked.
type options struct {
	targets   []server.Kind
	workloads []workload.Workload

	rounds   int
	duration time.Duration
	conns    int

	name, results, data, pando, pocketbase, cgroup string

	largeRecords, largeUsers                    int
	list, add, profile, strict, small, anyBuild bool
}

const usage = `Usage: go run ./bench/cmd/pandobench [flags]     (in the repository's root)

Measures Pando, PocketBase and a bare net/http handler side by side and writes
bench/results/<name>.md, .json and .svg. See bench/README.md.

What to measure
  -workload REGEXP     only workloads whose whole name matches (default all but large-…)
  -targets LIST        of pando,pocketbase,bare (default all three)
  -large               the large-… workloads instead: Pando with 10,000,000 records
  -large-records N     another number of records (default 10000000)
  -large-users N       another number of users (default 1000000)
  -list                print the workloads and do nothing

How long
  -rounds N            rounds of each server in each workload (default 5)
  -duration D          length of a round (default 2s)
  -conns N             connections (default 32; some workloads have their own number)
  -small               2,000 records and 5 users: to see whether it works, not how fast
  -quick               short for -rounds 3 -duration 1s

Programs and files
  -pando FILE          Pando's program (default bin/pando)
  -pocketbase FILE     PocketBase's (default: built from bench/peers/pocketbase)
  -data DIR            loaded data and scratch (default bench/data); a real disk
  -any-build           let data loaded by one build of Pando serve for all
  -cgroup DIR          control group below which memory-limit runs its servers
  -results DIR         where results go (default bench/results)
  -name NAME           their name (default latest, or large)
  -add                 keep the other workloads of an earlier result of that name
  -profile             save CPU profiles of Pando, for each workload and contender
  -strict              exit with 1 when a goal is missed (always when a figure is void)
`

func parse(args []string) (*options, error) {
	var o options
	var targets, pattern string
	var quick, large bool
	fs := flag.NewFlagSet("pandobench", flag.ContinueOnError)
	fs.SetOutput(os.Stderr)
	fs.Usage = func() { fmt.Fprint(os.Stdout, usage) }
	fs.StringVar(&pattern, "workload", "", "")
	fs.StringVar(&targets, "targets", "pando,pocketbase,bare", "")
	fs.BoolVar(&large, "large", false, "")
	fs.IntVar(&o.largeRecords, "large-records", 10_000_000, "")
	fs.IntVar(&o.largeUsers, "large-users", 1_000_000, "")
	fs.BoolVar(&o.list, "list", false, "")
	fs.IntVar(&o.rounds, "rounds", 5, "")
	fs.DurationVar(&o.duration, "duration", 2*time.Second, "")
	fs.IntVar(&o.conns, "conns", 32, "")
	fs.BoolVar(&quick, "quick", false, "")
	fs.StringVar(&o.pando, "pando", "bin/pando", "")
	fs.StringVar(&o.pocketbase, "pocketbase", "", "")
	fs.StringVar(&o.data, "data", "bench/data", "")
	fs.BoolVar(&o.anyBuild, "any-build", false, "")
	fs.StringVar(&o.cgroup, "cgroup", "", "")
	fs.StringVar(&o.results, "results", "bench/results", "")
	fs.StringVar(&o.name, "name", "", "")
	fs.BoolVar(&o.add, "add", false, "")
	fs.BoolVar(&o.profile, "profile", false, "")
	fs.BoolVar(&o.small, "small", false, "")
	fs.BoolVar(&o.strict, "strict", false, "")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; -help lists the flags", fs.Arg(0))
	}
	if quick {
		o.rounds, o.duration = 3, time.Second
		if err := fs.Parse(args); err != nil { // what is given outright wins
			return nil, err
		}
	}
	if o.name == "" {
		o.name = report.Everything
		if large {
			o.name = "large"
		}
	}
	return &o, o.check(targets, pattern, large)
}

func (o *options) check(targets, pattern string, large bool) (err error) {
	switch {
	case o.rounds < 1:
		return fmt.Errorf("-rounds %d: must be at least 1", o.rounds)
	case o.duration < 100*time.Millisecond:
		return fmt.Errorf("-duration %v: must be at least 100ms, processor time is counted in steps of 10ms", o.duration)
	case o.conns < 1 || o.conns > 10_000:
		return fmt.Errorf("-conns %d: must be 1 to 10000", o.conns)
	case o.largeRecords < 1000 || o.largeUsers < 1:
		return fmt.Errorf("-large-records must be at least 1000 and -large-users at least 1")
	case !regexp.MustCompile(`^[\w.-]+$`).MatchString(o.name):
		return fmt.Errorf("-name %q: letters, digits, dot, dash and underscore only, it names files", o.name)
	}
	if o.targets, err = kinds(targets); err != nil {
		return err
	}
	if pattern == "" {
		pattern = ".*"
	}
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return fmt.Errorf("-workload: %w", err)
	}
	for _, w := range workload.All {
		if w.Large == large && re.MatchString(w.Name) {
			o.workloads = append(o.workloads, w)
		}
	}
	if len(o.workloads) == 0 {
		return fmt.Errorf("-workload %q matches none; -list prints them", pattern)
	}
	return nil
}
