// Package cluster runs the PostgreSQL servers of the benchmarks, real ones on
// this machine, and puts data into them.
//
// They are as PostgreSQL comes, with fsync, but for shared_buffers: 1 GB is what
// everybody sets who reads one page about PostgreSQL. wal_level is the default.
package cluster

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/pandobase/pando/bench/internal/server"
	"github.com/pandobase/pando/internal/localcluster"
)

var settings = map[string]string{"shared_buffers": "1GB", "wal_level": "replica"}

// Server is one server without replicas, started when it is needed first. Data is
// copied into it once from a data directory of Pando; each use gets a fresh copy
// of that.
type Server struct {
	Log func(format string, args ...any)

	pg     *localcluster.Postgres
	loaded map[string]string // database by data directory
	copies int
}

// Fresh is a database that holds what the data directory of a stopped Pando does.
func (s *Server) Fresh(ctx context.Context, pando server.Binary, dir, work string) (*localcluster.Postgres, string, error) {
	if err := s.start(ctx); err != nil {
		return nil, "", err
	}
	template, ok := s.loaded[dir]
	if !ok {
		template = fmt.Sprintf("loaded%d", len(s.loaded))
		if err := Load(ctx, s.pg, pando, template, s.pg.URL(template, "postgres"), dir, work); err != nil {
			return nil, "", err
		}
		s.loaded[dir] = template
	}
	s.copies++
	name := fmt.Sprintf("copy%d", s.copies)
	if _, err := s.pg.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		return nil, "", err
	}
	// What the copy has left to be written is no business of who comes next.
	_, err := s.pg.Exec(ctx, "CHECKPOINT")
	return s.pg, name, err
}

func (s *Server) start(ctx context.Context) (err error) {
	if s.pg != nil {
		return nil
	}
	s.loaded = make(map[string]string)
	s.pg, err = localcluster.StartPostgres(ctx, localcluster.Options{Settings: settings})
	return err
}

// Drop removes the copies that were made, and with them what was written.
func (s *Server) Drop(ctx context.Context) error {
	if s.pg == nil {
		return nil
	}
	for ; s.copies > 0; s.copies-- {
		if _, err := s.pg.Exec(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS copy%d WITH (FORCE)", s.copies)); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the server.
func (s *Server) Close() {
	if s.pg != nil {
		if err := s.pg.Destroy(); err != nil {
			s.Log("end PostgreSQL: %v", err)
		}
	}
}

// Load makes a database at url, by way of pg, and copies a data directory into it.
func Load(ctx context.Context, pg *localcluster.Postgres, pando server.Binary, name, url, dir, work string) error {
	if err := pg.CreateDatabase(ctx, name); err != nil {
		return err
	}
	if err := server.Command(ctx, pando, work, io.Discard, "import", "pando", dir, "--dir", work+"/files", "--database", url); err != nil {
		return err
	}
	_, err := pg.ExecIn(ctx, name, "VACUUM ANALYZE")
	return err
}

// Replicated is a primary with two replicas that hold what dir does, the URL of
// which names the hosts in the given order, 0 being the primary. They count
// their statements.
func Replicated(ctx context.Context, pando server.Binary, dir, work string, order ...int) (*localcluster.Replicated, string, error) {
	o := localcluster.Options{Settings: maps.Clone(settings)}
	o.Settings["shared_buffers"] = "256MB" // times three
	o.Settings["shared_preload_libraries"] = "pg_stat_statements"
	c, err := localcluster.StartReplicated(ctx, 2, localcluster.ReplicatedOptions{Options: o})
	if err != nil {
		return nil, "", err
	}
	const name = "bench"
	primary := c.Primary()
	if err = Load(ctx, primary, pando, name, primary.URL(name, "postgres"), dir, work); err == nil {
		if _, err = primary.ExecIn(ctx, name, "CREATE EXTENSION pg_stat_statements"); err == nil {
			err = c.WaitReplayed(ctx)
		}
	}
	if err != nil {
		_ = c.Destroy()
		return nil, "", err
	}
	hosts := make([]string, len(order))
	for i, n := range order {
		hosts[i] = c.Node(n).Addr()
	}
	return c, "postgres://postgres@" + strings.Join(hosts, ",") + "/" + name, nil
}

// Reads is how many statements that read records of items a server has run.
func Reads(ctx context.Context, pg *localcluster.Postgres) (n int, err error) {
	text, err := pg.ExecIn(ctx, "bench", `SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
		WHERE query LIKE 'SELECT%FROM "items"%' OR query LIKE 'SELECT%FROM items %'`)
	if err == nil {
		_, err = fmt.Sscan(text, &n)
	}
	return n, err
}
