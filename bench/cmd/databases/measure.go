package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
	"github.com/pandobase/pando/bench/internal/server"
	"github.com/pandobase/pando/internal/localcluster"
)

// measurement is one run of the command.
type measurement struct {
	rows  int
	pando server.Binary
	dir   string
	pg    *localcluster.Postgres

	docBytes int
	lines    []*line
}

type line struct{ what, sqlite, postgres string }

// place is a database with its data directory.
type place struct {
	name, dir, work, url string
	noCache              bool
}

func (p place) args(args ...string) []string {
	args = append(args, "--dir", p.dir)
	if p.url != "" {
		args = append(args, "--database", p.url)
	}
	return args
}

func (m *measurement) note(p place, what, value string) {
	log.Printf("%s: %s: %s", p.name, what, value)
	var l *line
	for _, have := range m.lines {
		if have.what == what {
			l = have
		}
	}
	if l == nil {
		l = &line{what: what}
		m.lines = append(m.lines, l)
	}
	if p.url == "" {
		l.sqlite = value
	} else {
		l.postgres = value
	}
}

func (m *measurement) measure(ctx context.Context) (err error) {
	m.pg, err = localcluster.StartPostgres(ctx, localcluster.Options{Settings: map[string]string{"shared_buffers": "1GB"}})
	if err != nil {
		return err
	}
	for _, name := range []string{"docs", "copied"} {
		if err := m.pg.CreateDatabase(ctx, name); err != nil {
			return err
		}
	}
	file := filepath.Join(m.dir, "docs.ndjson")
	if err := m.write(file); err != nil {
		return err
	}
	lite := place{name: "SQLite", dir: filepath.Join(m.dir, "sqlite"), work: m.dir}
	pg := place{name: "PostgreSQL", dir: filepath.Join(m.dir, "postgres"), work: m.dir, url: m.pg.URL("docs", "postgres")}
	for _, p := range []place{lite, pg} {
		if err := m.load(ctx, p, file); err != nil {
			return err
		}
	}
	if err := m.copy(ctx, lite); err != nil {
		return err
	}
	for _, p := range []place{lite, pg} {
		if err := m.ask(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// cities is how many values of the path that is asked for there are.
func (m *measurement) cities() int { return max(m.rows/20, 1) }

// document is document i, an order as a shop has them.
func (m *measurement) document(i int) string {
	rng := rand.New(rand.NewPCG(7, uint64(i)))
	return fmt.Sprintf(`{"customer":{"name":"Customer %d","address":{"street":"%d Meadow Road","city":"city-%d","zip":"%05d"}},"lines":[{"sku":"A-%d","quantity":%d,"price":%d.5},{"sku":"B-%d","quantity":%d,"price":%d.25}],"tags":["online","gift-%d"],"paid":%t}`,
		rng.IntN(1e6), rng.IntN(500), rng.IntN(m.cities()), rng.IntN(1e5), rng.IntN(1e4), 1+rng.IntN(9), rng.IntN(100),
		rng.IntN(1e4), 1+rng.IntN(9), rng.IntN(100), rng.IntN(50), rng.IntN(2) == 0)
}

func (m *measurement) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range m.rows {
		doc := m.document(i)
		m.docBytes = len(doc)
		fmt.Fprintf(w, "{\"id\":\"%s\",\"number\":%d,\"doc\":%s}\n", dataset.RecordID(i), i, doc)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// load makes the collection and imports the documents.
func (m *measurement) load(ctx context.Context, p place, file string) error {
	if err := server.Command(ctx, m.pando, p.work, io.Discard, p.args("superuser", "upsert", server.Email, server.Password)...); err != nil {
		return err
	}
	err := m.with(ctx, p, func(proc *server.Process, c *dataset.Client) error {
		return c.Do(ctx, http.MethodPost, "/api/collections", map[string]any{
			"name": "docs", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "",
			"fields": []map[string]any{
				{"type": "number", "name": "number"}, {"type": "json", "name": "doc"},
				{"type": "autodate", "name": "created", "onCreate": true},
			},
		}, nil)
	})
	if err != nil {
		return err
	}
	began := time.Now()
	if err := server.Command(ctx, m.pando, p.work, io.Discard, p.args("import", file, "--collection", "docs")...); err != nil {
		return err
	}
	m.note(p, "bulk import, checked row by row (`pando import FILE`)", rate(m.rows, time.Since(began)))
	size, err := m.size(ctx, p)
	if err != nil {
		return err
	}
	m.note(p, "size per row, its index included", fmt.Sprintf("%.0f bytes", size/float64(m.rows)))
	return nil
}

func (m *measurement) size(ctx context.Context, p place) (size float64, err error) {
	if p.url == "" {
		st, err := os.Stat(filepath.Join(p.dir, "data.db"))
		if err != nil {
			return 0, err
		}
		return float64(st.Size()), nil
	}
	if _, err := m.pg.ExecIn(ctx, "docs", "VACUUM ANALYZE"); err != nil { // autovacuum does, in a minute
		return 0, err
	}
	text, err := m.pg.ExecIn(ctx, "docs", "SELECT pg_total_relation_size('docs')")
	if err == nil {
		_, err = fmt.Sscan(text, &size)
	}
	return size, err
}

// copy copies the whole of a data directory into PostgreSQL.
func (m *measurement) copy(ctx context.Context, from place) error {
	to := place{name: "PostgreSQL", dir: filepath.Join(m.dir, "files"), work: m.dir, url: m.pg.URL("copied", "postgres")}
	began := time.Now()
	if err := server.Command(ctx, m.pando, to.work, io.Discard, to.args("import", "pando", from.dir)...); err != nil {
		return err
	}
	m.note(to, "copy of a data directory, compared afterwards (`pando import pando`)", rate(m.rows, time.Since(began)))
	_, err := m.pg.Exec(ctx, "DROP DATABASE copied WITH (FORCE)")
	return err
}

// with runs f while a server serves p.
func (m *measurement) with(ctx context.Context, p place, f func(*server.Process, *dataset.Client) error) error {
	proc, err := server.Start(ctx, server.Config{Binary: m.pando, Data: p.dir, Work: p.work, Database: p.url, NoCache: p.noCache})
	if err != nil {
		return err
	}
	defer proc.Stop()
	c, err := dataset.Login(ctx, proc.Addr, server.Email, server.Password)
	if err != nil {
		return err
	}
	return f(proc, c)
}

// ask measures requests.
func (m *measurement) ask(ctx context.Context, p place) error {
	if p.url == "" {
		err := m.with(ctx, p, func(proc *server.Process, _ *dataset.Client) error {
			return m.p50(ctx, p, proc, "view, p50, from the cache", 1, 3*time.Second, m.view(proc, 1000))
		})
		if err != nil {
			return err
		}
	}
	p.noCache = true
	return m.with(ctx, p, func(proc *server.Process, c *dataset.Client) error {
		if err := m.p50(ctx, p, proc, "view, p50, from the database", 1, 3*time.Second, m.view(proc, m.rows)); err != nil {
			return err
		}
		if err := m.rate(ctx, p, proc, "create a document, 32 connections", m.create(proc)); err != nil {
			return err
		}
		if err := m.rate(ctx, p, proc, "change a value of a document, 32 connections", m.update(proc)); err != nil {
			return err
		}
		const filter = "filter by a path into JSON with total, p50, "
		if err := m.p50(ctx, p, proc, filter+"no index", 1, 10*time.Second, m.filter(proc)); err != nil {
			return err
		}
		began := time.Now()
		err := c.Do(ctx, http.MethodPatch, "/api/collections/docs", map[string]any{
			"indexes": []string{"CREATE INDEX idx_docs_city ON docs (json_extract(doc, '$.customer.address.city'))"},
		}, nil)
		if err != nil {
			return err
		}
		m.note(p, "making the index", fmt.Sprintf("%.1f s", time.Since(began).Seconds()))
		if p.url != "" {
			if _, err := m.pg.ExecIn(ctx, "docs", "ANALYZE docs"); err != nil {
				return err
			}
		}
		return m.p50(ctx, p, proc, filter+"with an index", 1, 3*time.Second, m.filter(proc))
	})
}

func (m *measurement) p50(ctx context.Context, p place, proc *server.Process, what string, conns int, d time.Duration, s load.Script) error {
	res, err := m.load1(ctx, proc, conns, d/5, d, s)
	if err != nil {
		return err
	}
	m.note(p, what, milliseconds(res.Latencies().ValueAtQuantile(50)))
	return nil
}

func (m *measurement) rate(ctx context.Context, p place, proc *server.Process, what string, s load.Script) error {
	res, err := m.load1(ctx, proc, 32, time.Second, 3*time.Second, s)
	if err != nil {
		return err
	}
	m.note(p, what, thousands(res.PerSecond())+"/s")
	return nil
}

// load1 drives a server, first for a while that does not count.
func (m *measurement) load1(ctx context.Context, proc *server.Process, conns int, warm, d time.Duration, s load.Script) (load.Result, error) {
	var res load.Result
	for _, d := range []time.Duration{warm, d} {
		var err error
		res, err = load.Run(ctx, load.Options{
			Addr: proc.Addr, Conns: conns, Kinds: []load.Kind{{Name: "request", Status: 200}}, Script: s, Duration: d,
		})
		if err != nil {
			return res, err
		}
		if res.Errors > 0 {
			return res, fmt.Errorf("%d wrong answers, the first: %s", res.Errors, res.FirstError)
		}
	}
	return res, nil
}

const records = "/api/collections/docs/records"

func request(dst []byte, proc *server.Process, method, path, body string) []byte {
	dst = fmt.Appendf(dst, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, proc.Addr)
	if body != "" {
		dst = fmt.Appendf(dst, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	return append(append(dst, "\r\n"...), body...)
}

// view draws one of the first n documents.
func (m *measurement) view(proc *server.Process, n int) load.Script {
	rng := rand.New(rand.NewPCG(1, 2))
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		return request(dst, proc, "GET", records+"/"+dataset.RecordID(rng.IntN(min(n, m.rows))), ""), load.Shot{Want: []byte(`"customer"`)}
	})
}

func (m *measurement) create(proc *server.Process) load.Script {
	n := m.rows
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		n++
		return request(dst, proc, "POST", records, `{"doc":`+m.document(n)+`}`), load.Shot{Want: []byte(`"customer"`)}
	})
}

func (m *measurement) update(proc *server.Process) load.Script {
	rng := rand.New(rand.NewPCG(3, 4))
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		i := rng.IntN(m.rows)
		return request(dst, proc, "PATCH", records+"/"+dataset.RecordID(i), `{"doc":`+m.document(i+1)+`}`), load.Shot{Want: []byte(`"customer"`)}
	})
}

func (m *measurement) filter(proc *server.Process) load.Script {
	rng := rand.New(rand.NewPCG(5, 6))
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		path := fmt.Sprintf("%s?filter=doc.customer.address.city%%3D%%27city-%d%%27", records, rng.IntN(m.cities()))
		return request(dst, proc, "GET", path, ""), load.Shot{Want: []byte(`"items":[{`)}
	})
}

func rate(n int, d time.Duration) string { return thousands(float64(n)/d.Seconds()) + " rows/s" }

func milliseconds(us int64) string {
	switch {
	case us < 10_000:
		return fmt.Sprintf("%.2f ms", float64(us)/1000)
	case us < 1_000_000:
		return fmt.Sprintf("%.0f ms", float64(us)/1000)
	}
	return fmt.Sprintf("%.1f s", float64(us)/1e6)
}

func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// machine says where it was measured.
func machine() string {
	cpu := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d processors, %s.", cpu, runtime.NumCPU(), runtime.Version())
}
