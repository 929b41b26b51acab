package target

import (
	"context"
	"path"
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/s3server"
)

// PandoPostgres is [Pando] on a PostgreSQL database of its own.
func PandoPostgres(tb testing.TB) *Server {
	tb.Helper()
	_, url := localclustertest.Database(tb)
	return start(tb, func(ctx context.Context, dir string) (*Server, error) {
		return StartPandoIn(ctx, dir, Surroundings{Database: url})
	})
}

// PandoPgBouncer is PandoPostgres with a PgBouncer in transaction mode between.
func PandoPgBouncer(tb testing.TB) *Server {
	tb.Helper()
	pg, url := localclustertest.Database(tb)
	b := localclustertest.PgBouncer(tb, pg.Addr(), localcluster.PgBouncerOptions{PoolSize: 10})
	return start(tb, func(ctx context.Context, dir string) (*Server, error) {
		return StartPandoIn(ctx, dir, Surroundings{Database: b.URL(path.Base(url), "postgres")})
	})
}

// PandoS3 is PandoPostgres with its files in a bucket of their own.
func PandoS3(tb testing.TB) *Server {
	tb.Helper()
	_, url := localclustertest.Database(tb)
	gate, bucket := s3server.Bucket(tb)
	return start(tb, func(ctx context.Context, dir string) (*Server, error) {
		return StartPandoIn(ctx, dir, Surroundings{Database: url, Env: s3server.Env()}, "--blob", s3server.URL(gate.Addr(), bucket))
	})
}

// Kind is a server that scenarios are held with.
type Kind struct {
	Name  string
	Start func(testing.TB) *Server
}

// Kinds are all that must answer alike: the peer, and Pando in every topology.
func Kinds() []Kind {
	return []Kind{{"peer", Peer}, {"pando", Pando}, {"pando on PostgreSQL", PandoPostgres}, {"three pandos behind pando lb", PandoCluster}}
}
