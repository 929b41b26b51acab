// Command databases measures what docs/databases.md says of SQLite and PostgreSQL:
// latency, documents, filters by a path into JSON, and mass. It prints a Markdown
// table and writes it to bench/results/databases.md.
//
//	go run ./bench/cmd/databases              (in the repository's root; 5 to 10 minutes)
//	go run ./bench/cmd/databases -rows 20000  (a look at whether it works)
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/pandobase/pando/bench/internal/server"
)

func main() {
	log.SetFlags(log.Ltime)
	m := &measurement{}
	flag.IntVar(&m.rows, "rows", 1_000_000, "documents")
	pando := flag.String("pando", "bin/pando", "Pando's program")
	data := flag.String("data", "bench/data", "directory on a disk for what is measured")
	out := flag.String("out", "bench/results/databases.md", "file of the table")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := m.run(ctx, *pando, *data, *out); err != nil {
		log.Fatal(err)
	}
}

func (m *measurement) run(ctx context.Context, pando, data, out string) (err error) {
	if m.pando, err = server.Inspect(server.Pando, pando); err != nil {
		return err
	}
	if m.dir, err = filepath.Abs(data); err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	if m.dir, err = os.MkdirTemp(m.dir, "databases-"); err != nil {
		return err
	}
	defer os.RemoveAll(m.dir)
	defer func() {
		if m.pg != nil {
			err = cmpErr(err, m.pg.Destroy())
		}
	}()
	if err := m.measure(ctx); err != nil {
		return err
	}
	table := m.table()
	fmt.Print(table)
	return os.WriteFile(out, []byte(table), 0o644)
}

func cmpErr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// table is what was measured, a row each.
func (m *measurement) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# SQLite and PostgreSQL, measured\n\n%s documents of about %d bytes; both databases on this machine, synced. `go run ./bench/cmd/databases`\n\n",
		thousands(float64(m.rows)), m.docBytes)
	fmt.Fprintf(&b, "%s\n\n| | SQLite | PostgreSQL |\n|---|--:|--:|\n", machine())
	for _, l := range m.lines {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", l.what, l.sqlite, l.postgres)
	}
	return b.String()
}
