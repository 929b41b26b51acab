// Command balancers measures Pando's load balancer beside HAProxy: rate, latency and
// processor time per request in front of three small web servers, in turn, on one
// machine. It prints a Markdown table and writes it, and every round as JSON, to
// bench/results/balancers.{md,json}.
//
//	go run ./bench/cmd/balancers          (in the repository's root, after make build; 5 minutes)
//	go run ./bench/cmd/balancers -quick   (a look at whether it works)
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"
)

func main() {
	log.SetFlags(log.Ltime)
	m := &measurement{}
	serve := flag.String("serve", "", "be one of the web servers, on this address")
	size := flag.Int("size", 0, "bytes that it answers")
	flag.BoolVar(&m.idleOnly, "idle", false, "idle connections alone")
	quick := flag.Bool("quick", false, "one short round")
	flag.IntVar(&m.rounds, "rounds", 5, "rounds, of each contender in turn")
	flag.DurationVar(&m.length, "duration", 2*time.Second, "of a round of one contender")
	flag.StringVar(&m.pando, "pando", "bin/pando", "Pando's program")
	flag.StringVar(&m.haproxy, "haproxy", "/usr/sbin/haproxy", "HAProxy's program")
	flag.StringVar(&m.only, "only", "", "works whose name has this in it, as in TLS")
	out := flag.String("out", "bench/results/balancers", "files of the results, without extension")
	flag.Parse()
	if *serve != "" {
		log.Fatal(serveBody(*serve, *size))
	}
	if *quick {
		m.rounds, m.length = 1, 300*time.Millisecond
	}
	if _, err := os.Stat(m.haproxy); err != nil {
		log.Fatalf("HAProxy is measured beside: install it (apt-get install --no-install-recommends haproxy), or say where it is with -haproxy: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := m.run(ctx); err != nil {
		log.Fatal(err)
	}
	raw, err := json.MarshalIndent(map[string]any{"rounds": m.results, "idle": m.idles}, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	table := m.table()
	fmt.Print(table)
	for name, text := range map[string][]byte{".md": []byte(table), ".json": append(raw, '\n')} {
		if err := os.WriteFile(*out+name, text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
