// Command cmd compares two servers, or shows what one of them answers.
//
//	go run ./test/differential/cmd                       # the peer with Pando, both started here
//	go run ./test/differential/cmd -area filter          # only some areas
//	go run ./test/differential/cmd -a URL -b URL         # two servers that run already
//	go run ./test/differential/cmd -dump -a peer         # every answer of one server
//
// -a and -b are "peer", "pando" or the URL of a fresh server, with a superuser
// of the given -email and -password; the data set is made through its API.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/pandobase/pando/test/differential"
	"github.com/pandobase/pando/test/differential/areas"
	"github.com/pandobase/pando/test/target"
)

func main() {
	a := flag.String("a", "peer", "first server: peer, pando or a URL")
	b := flag.String("b", "pando", "second server: peer, pando or a URL")
	email := flag.String("email", target.Email, "superuser of servers given by URL")
	password := flag.String("password", target.Password, "superuser's password of servers given by URL")
	area := flag.String("area", "", "regular expression of areas to run; the data set always is")
	name := flag.String("run", "", "regular expression of request titles (area/name) to show")
	dump := flag.Bool("dump", false, "show all answers of the first server instead of comparing")
	all := flag.Bool("all", false, "show accepted differences (docs/compatibility.md) as well")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	differing, err := compare(ctx, options{*a, *b, *email, *password, *area, *name, *dump, *all})
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(2)
	case differing > 0:
		stop()
		os.Exit(1)
	}
}

type options struct {
	a, b, email, password string
	area, name            string
	dump, all             bool
}

func compare(ctx context.Context, o options) (differing int, err error) {
	requests, err := areas.Select(o.area)
	if err != nil {
		return 0, err
	}
	shown, err := regexp.Compile(o.name)
	if err != nil {
		return 0, fmt.Errorf("-run: %w", err)
	}
	dir, err := os.MkdirTemp("", "differential-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	names := []string{o.a, o.b}
	if o.dump {
		names = names[:1]
	}
	runs, err := sendAll(ctx, names, o, dir, requests)
	if err != nil {
		return 0, err
	}
	if o.dump {
		dumpMatching(requests, runs[0], shown)
		return 0, nil
	}
	results := differential.Compare(requests, runs[0], runs[1])
	if !o.all {
		results = withoutAccepted(results)
	}
	results = matching(results, shown)
	differential.Report(os.Stdout, runs[0].Server, runs[1].Server, results)
	for _, r := range results {
		if len(r.Differences) > 0 {
			differing++
		}
	}
	return differing, nil
}

// sendAll starts the named servers and sends them the requests side by side.
func sendAll(ctx context.Context, names []string, o options, dir string, requests []differential.Request) ([]differential.Run, error) {
	runs := make([]differential.Run, len(names))
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			s, err := server(ctx, name, o, filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				errs[i] = err
				return
			}
			defer s.Stop()
			runs[i] = differential.Send(ctx, s, requests)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return runs, nil
}

func server(ctx context.Context, name string, o options, dir string) (*target.Server, error) {
	switch name {
	case "peer":
		return target.StartPeer(ctx, dir)
	case "pando":
		return target.StartPando(ctx, dir)
	}
	return target.At(name, name, o.email, o.password), nil
}

// withoutAccepted drops the listed differences and keeps every request, so
// that the count at the end stays the count of requests.
func withoutAccepted(results []differential.Result) []differential.Result {
	root, err := target.Root()
	if err != nil {
		return results
	}
	rows, err := differential.ReadAccepted(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "nothing is accepted:", err)
		return results
	}
	left, _ := differential.Unlisted(results, rows)
	open := map[string][]differential.Difference{}
	for _, r := range left {
		open[r.Request.ID()] = r.Differences
	}
	for i := range results {
		results[i].Differences = open[results[i].Request.ID()]
	}
	return results
}

func matching(results []differential.Result, shown *regexp.Regexp) []differential.Result {
	var kept []differential.Result
	for _, r := range results {
		if shown.MatchString(r.Request.ID()) {
			kept = append(kept, r)
		}
	}
	return kept
}

func dumpMatching(requests []differential.Request, run differential.Run, shown *regexp.Regexp) {
	var kept []differential.Request
	answers := run.Answers
	run.Answers = nil
	for i, q := range requests {
		if shown.MatchString(q.ID()) {
			kept = append(kept, q)
			run.Answers = append(run.Answers, answers[i])
		}
	}
	differential.Dump(os.Stdout, kept, run)
}
