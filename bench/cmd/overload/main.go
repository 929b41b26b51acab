// Command overload measures what becomes of a server's answers when three times more is
// asked of it than it can answer: a real process of `pando serve` on one processor, the
// load on another. It prints a Markdown table and writes it, and every figure as JSON, to
// bench/results/overload.{md,json}.
//
//	go run ./bench/cmd/overload          (in the repository's root, after make build; 5 minutes)
//	go run ./bench/cmd/overload -quick   (a look at whether it works)
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/server"
)

// measurement is one run of the program.
type measurement struct {
	length    time.Duration
	only      string
	serverCPU string
	bin       server.Binary
	store     *dataset.Store
	dir       string
	results   []result
}

func main() {
	log.SetFlags(log.Ltime)
	m := &measurement{}
	quick := flag.Bool("quick", false, "short rounds")
	flag.DurationVar(&m.length, "duration", 20*time.Second, "of the overload")
	flag.StringVar(&m.only, "only", "", "works whose name has this in it, as in lists")
	flag.StringVar(&m.serverCPU, "server-cpu", "0", "processors of the server, as taskset writes them")
	loadCPU := flag.String("load-cpu", "1", "processors of the load")
	pando := flag.String("pando", "bin/pando", "Pando's program")
	out := flag.String("out", "bench/results/overload", "files of the results, without extension")
	flag.Parse()
	if *quick {
		m.length = 3 * time.Second
	}
	if err := bind(*loadCPU); err != nil {
		log.Fatal(err)
	}
	// The load holds a thread; who watches beside it must not wait for that.
	runtime.GOMAXPROCS(8)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed := m.run(ctx, *pando) // what has been measured counts
	raw, err := json.MarshalIndent(m.results, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	table := m.table(*loadCPU)
	fmt.Print(table)
	for name, text := range map[string][]byte{".md": []byte(table), ".json": append(raw, '\n')} {
		if err := os.WriteFile(*out+name, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	if failed != nil {
		log.Fatal(failed)
	}
}

// bound is set in the environment of this program once it is bound to its processors.
const bound = "PANDO_BENCH_BOUND"

// bind has this program become itself on these processors: the load must not take from
// the server what is measured.
func bind(cpus string) error {
	if os.Getenv(bound) != "" {
		return nil
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return fmt.Errorf("binding the load to processors needs taskset (package util-linux): %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{taskset, "-c", cpus, self}, os.Args[1:]...)
	return fmt.Errorf("become %s on processors %s: %w", self, cpus, syscall.Exec(taskset, args, append(os.Environ(), bound+"=1")))
}

func (m *measurement) run(ctx context.Context, pando string) (err error) {
	if m.bin, err = server.Inspect(server.Pando, pando); err != nil {
		return err
	}
	data, err := filepath.Abs("bench/data")
	if err == nil {
		err = os.MkdirAll(data, 0o755)
	}
	if err != nil {
		return err
	}
	m.store = &dataset.Store{Root: data, Log: log.Printf, AnyBuild: true}
	if m.dir, err = os.MkdirTemp(data, "run-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	for _, w := range works {
		if err := m.work(ctx, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}
