package target

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
)

// Join are flags of a load balancer that asks members who is a member.
func (c *Cluster) Join() []string {
	var private []string
	for _, m := range c.Members {
		private = append(private, m.Private)
	}
	return []string{"--join", strings.Join(private, ",")}
}

// StartBalancer starts a load balancer that finds the members by itself, as its flags
// say, and returns when one of them answers through it. It is stopped when the test
// ends.
func (c *Cluster) StartBalancer(t testing.TB, flags ...string) *Server {
	t.Helper()
	return c.StartBalancerOf(t, c.bin, nil, flags...)
}

// StartBalancerOf starts one of another build, in an environment of its own.
func (c *Cluster) StartBalancerOf(t testing.TB, bin string, env []string, flags ...string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := startBalancer(ctx, bin, env, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			text := s.Output()
			t.Logf("the last words of the load balancer:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return s
}

func startBalancer(ctx context.Context, bin string, env, flags []string) (*Server, error) {
	ports, err := localcluster.ReservePorts(2)
	if err != nil {
		return nil, err
	}
	return launch(ctx, balancer(bin, ports, env, flags), "")
}

func balancer(bin string, ports []*localcluster.Port, env, flags []string) program {
	admin := ports[1].Addr()
	return program{
		name: "pando lb", bin: bin, ports: ports, admin: "http://" + admin,
		in: Surroundings{Env: append([]string{"PANDO_CLUSTER_SECRET=" + ClusterSecret}, env...)},
		serve: func(_, addr string) []string {
			return append([]string{"lb", "--listen", addr, "--admin", admin}, flags...)
		},
	}
}

// Replace has another load balancer with these flags take the place of s, as an upgrade
// does: it starts at the same address, and when it is ready s is told to stop. From then
// on s is the new one.
func (s *Server) Replace(ctx context.Context, flags ...string) error {
	admin, err := localcluster.ReservePort()
	if err != nil {
		return err
	}
	p := balancer(s.args.bin, []*localcluster.Port{s.args.ports[0], admin}, nil, flags)
	next, err := run(p.command(""), p.in.Env)
	if err != nil {
		return fmt.Errorf("target: start another %s: %w", s.Name, err)
	}
	if err := next.ready(ctx, p.admin+"/readyz"); err != nil {
		next.stop(0)
		return fmt.Errorf("target: another %s on %s: %w\n%s", s.Name, p.addr(), err, next.output.String())
	}
	old := s.process()
	s.mu.Lock()
	s.proc, s.args, s.Admin = next, p, p.admin
	s.mu.Unlock()
	old.stop(10 * time.Second)
	if code := old.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("target: %s ended with %d when it was replaced:\n%s", s.Name, code, old.output.String())
	}
	return nil
}

// PandoCluster is three servers over PostgreSQL with a replica and Redis, which only
// load balancers reach, behind one.
func PandoCluster(tb testing.TB) *Server {
	tb.Helper()
	c := StartCluster(tb, ClusterOptions{Replicas: 1, Caches: 2, Indirect: true})
	return c.StartBalancer(tb, c.Join()...)
}

// Pando runs a command of the cluster's pando.
func (c *Cluster) Pando(ctx context.Context, args ...string) (output string, err error) {
	out, err := exec.CommandContext(ctx, c.bin, args...).CombinedOutput()
	return string(out), err
}
