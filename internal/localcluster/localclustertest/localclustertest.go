// Package localclustertest gives tests the servers of package localcluster.
package localclustertest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
)

// Start bounds the start of a server in a test.
const Start = 60 * time.Second

// shared is the server of this test binary. Nobody stops it: it ends, and its
// directory goes, when the process does.
var shared struct {
	once  sync.Once
	pg    *localcluster.Postgres
	err   error
	names atomic.Int64
}

// Database is a fresh, empty database on a server that all tests of this binary
// share, without fsync. It is dropped when the test ends. URL is for the
// superuser postgres. A test that breaks the server takes one of its own (Postgres).
func Database(t testing.TB) (pg *localcluster.Postgres, url string) {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Start)
		defer cancel()
		shared.pg, shared.err = localcluster.StartPostgres(ctx, localcluster.Options{NoSync: true, MaxConnections: 300, Settings: map[string]string{
			"max_wal_senders": "40", "max_replication_slots": "40", // each test may read the log
		}})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := fmt.Sprintf("test%d", shared.names.Add(1))
	if err := shared.pg.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := shared.pg.Exec(context.Background(), `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return shared.pg, shared.pg.URL(name, "postgres")
}

// Ports are n ports, one after the other, that the test has to itself.
func Ports(t testing.TB, n int) []*localcluster.Port {
	t.Helper()
	ports, err := localcluster.ReservePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range ports {
			p.Release()
		}
	})
	return ports
}

// Postgres is a server of the test's own, destroyed when it ends.
func Postgres(t testing.TB, opts localcluster.Options) *localcluster.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Start)
	defer cancel()
	pg, err := localcluster.StartPostgres(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of %s ends with\n%s", pg.Name(), pg.Log())
		}
		if err := pg.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return pg
}

// Replicated is a primary and n replicas of the test's own.
func Replicated(t testing.TB, n int, opts localcluster.ReplicatedOptions) *localcluster.Replicated {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Start)
	defer cancel()
	c, err := localcluster.StartReplicated(ctx, n, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, pg := range c.Nodes() {
				t.Logf("the log of %s ends with\n%s", pg.Name(), pg.Log())
			}
		}
		if err := c.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Patroni is a cluster of n nodes of the test's own.
func Patroni(t testing.TB, n int, opts localcluster.PatroniOptions) *localcluster.Patroni {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*Start)
	defer cancel()
	c, err := localcluster.StartPatroni(ctx, n, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, node := range c.Nodes() {
				t.Logf("the log of %s ends with\n%s", node.Name(), node.Log())
			}
		}
		if err := c.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// PgBouncer is a pooler of the test's own in front of target, host:port.
func PgBouncer(t testing.TB, target string, opts localcluster.PgBouncerOptions) *localcluster.PgBouncer {
	t.Helper()
	b, err := localcluster.StartPgBouncer(t.Context(), target, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// Redis is n cache servers of the test's own, with the same options.
func Redis(t testing.TB, n int, opts localcluster.RedisOptions) []*localcluster.Redis {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Start)
	defer cancel()
	servers := make([]*localcluster.Redis, n)
	for i := range servers {
		r, err := localcluster.StartRedis(ctx, opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the log of %s ends with\n%s", r.Name(), r.Log())
			}
			if err := r.Destroy(); err != nil {
				t.Error(err)
			}
		})
		servers[i] = r
	}
	return servers
}
