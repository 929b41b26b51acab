package target

import (
	"context"
	"strings"
	"testing"
	"time"
)

// StartBalancer starts a load balancer that finds the members of the cluster by
// itself, and returns when one of them answers through it. It is stopped when the test
// ends. With database it reads who is a member from there; otherwise it asks members.
func (c *Cluster) StartBalancer(t testing.TB, database bool, flags ...string) *Server {
	t.Helper()
	find := []string{"--database", c.URL(c.Database, "postgres")}
	if !database {
		var private []string
		for _, m := range c.Members {
			private = append(private, m.private)
		}
		find = []string{"--join", strings.Join(private, ",")}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := startBalancer(ctx, c.bin, append(find, flags...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			text := s.Output()
			t.Logf("the last words of the load balancer:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return s
}

func startBalancer(ctx context.Context, bin string, flags []string) (*Server, error) {
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return launch(ctx, program{
		name: "pando lb", bin: bin, admin: "http://" + admin,
		in: Surroundings{Env: []string{"PANDO_CLUSTER_SECRET=" + ClusterSecret}},
		serve: func(_, addr string) []string {
			return append([]string{"lb", "--listen", addr, "--admin", admin}, flags...)
		},
	}, "")
}

// PandoCluster is three servers over PostgreSQL with a replica and Redis, which only
// load balancers reach, behind one.
func PandoCluster(tb testing.TB) *Server {
	tb.Helper()
	return StartCluster(tb, ClusterOptions{Replicas: 1, Caches: 2, Indirect: true}).StartBalancer(tb, false)
}
