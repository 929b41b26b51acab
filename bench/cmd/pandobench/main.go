// Command pandobench measures Pando, PocketBase and a bare net/http handler
// side by side. See bench/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/pandobase/pando/bench/internal/cluster"
	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
	"github.com/pandobase/pando/bench/internal/workload"
)

func main() {
	log.SetFlags(log.Ltime)
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		log.Fatal(bare(os.Args[2:]))
	}
	// Each running load generator keeps a processor of Go's scheduler to
	// itself, though not one of the machine; leave some for the rest.
	runtime.GOMAXPROCS(runtime.NumCPU() + 2)
	opt, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "pandobench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := opt.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pandobench:", err)
		os.Exit(1)
	}
}

// bare is what this program does when it is started again as the bare server.
func bare(args []string) error {
	fs := flag.NewFlagSet("bare", flag.ContinueOnError)
	answer := fs.String("answer", "", "file with the answer")
	addr := fs.String("http", "", "address to listen on")
	if err := fs.Parse(args); err != nil {
		return err
	}
	return server.ServeBare(*answer, *addr)
}

func (o *options) run(ctx context.Context) error {
	if o.list {
		for _, w := range o.workloads {
			fmt.Printf("%-18s %s\n", w.Name, w.Title)
		}
		return nil
	}
	r, err := o.runner(ctx)
	if err != nil {
		return err
	}
	defer r.Postgres.Close()
	result := report.Run{Name: o.name, Machine: machine()}
	if o.add {
		if result, err = report.Read(filepath.Join(o.results, o.name+".json")); err != nil {
			return err
		}
		result.Name, result.Machine = o.name, machine()
	}
	for i := range o.workloads {
		w := &o.workloads[i]
		if !r.Has(w) {
			continue // of the servers that it compares none was asked for
		}
		log.Printf("%s: %s", w.Name, w.Title)
		measured, err := r.Run(ctx, w)
		if err != nil {
			return err
		}
		result.Replace(measured)
		// Saved after each, so that an interrupt loses one workload only.
		if _, err := result.Write(o.results); err != nil {
			return err
		}
	}
	return conclude(&result, o)
}

// conclude prints the verdicts on what was measured.
func conclude(r *report.Run, o *options) error {
	short, void := 0, 0
	for _, v := range report.Judge(r, report.Goals) {
		switch v.Status {
		case report.Missing:
			continue
		case report.Short:
			short++
		case report.Void:
			void++
		}
		fmt.Printf("%-12s %-55s %-32s %s\n", v.Status, v.Goal.Title, v.Goal.Target, firstLine(v.Measured))
	}
	fmt.Printf("wrote %s.md, .json and .svg\n", filepath.Join(o.results, o.name))
	if void > 0 {
		return fmt.Errorf("%d figures are void", void)
	}
	if o.strict && short > 0 {
		return fmt.Errorf("%d goals are missed", short)
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (o *options) runner(ctx context.Context) (*workload.Runner, error) {
	if err := os.MkdirAll(o.data, 0o755); err != nil {
		return nil, err
	}
	data, err := filepath.Abs(o.data)
	if err != nil {
		return nil, err
	}
	warnOfMemoryFS(data)
	scratch, err := os.MkdirTemp(data, "run-")
	if err != nil {
		return nil, err
	}
	r := &workload.Runner{
		Targets: o.targets, Binaries: make(map[server.Kind]server.Binary), Scratch: scratch,
		Store:    &dataset.Store{Root: data, Log: log.Printf, AnyBuild: o.anyBuild},
		Postgres: &cluster.Server{Log: log.Printf},
		Rounds:   o.rounds, Duration: o.duration, Conns: o.conns,
		LimitParent: o.cgroup, LargeRecords: o.largeRecords, LargeUsers: o.largeUsers, Small: o.small,
		Log: log.Printf,
	}
	if o.profile {
		r.Profile = filepath.Join(o.results, o.name)
		if err := os.MkdirAll(o.results, 0o755); err != nil {
			return nil, err
		}
	}
	kinds := o.targets
	onPostgres := slices.ContainsFunc(o.workloads, func(w workload.Workload) bool { return w.Postgres })
	if onPostgres && slices.Contains(kinds, server.Pando) && slices.Contains(kinds, server.Bare) {
		kinds = append(slices.Clone(kinds), server.PGX)
	}
	for _, kind := range kinds {
		bin, err := o.binary(ctx, kind)
		if err != nil {
			return nil, err
		}
		r.Binaries[kind] = bin
	}
	return r, os.RemoveAll(scratch) // made anew for each workload
}

// binary finds the program of a server, and builds that of a peer.
func (o *options) binary(ctx context.Context, kind server.Kind) (server.Binary, error) {
	switch kind {
	case server.Pando:
		return server.Inspect(kind, o.pando)
	case server.PocketBase, server.PGX:
		if o.pocketbase != "" && kind == server.PocketBase {
			return server.Inspect(kind, o.pocketbase)
		}
		path := filepath.Join(o.data, "bin", string(kind))
		if err := server.BuildPeer(ctx, filepath.Join("bench", "peers", string(kind)), path); err != nil {
			return server.Binary{}, err
		}
		return server.Inspect(kind, path)
	}
	self, err := os.Executable()
	if err != nil {
		return server.Binary{}, err
	}
	bin, err := server.Inspect(kind, self)
	bin.Version = ""
	return bin, err
}

func kinds(list string) ([]server.Kind, error) {
	var all []server.Kind
	for name := range strings.SplitSeq(list, ",") {
		switch kind := server.Kind(strings.TrimSpace(name)); kind {
		case server.Pando, server.PocketBase, server.Bare:
			all = append(all, kind)
		default:
			return nil, fmt.Errorf("unknown target %q: there are pando, pocketbase and bare", name)
		}
	}
	return all, nil
}
