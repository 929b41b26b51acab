package failover

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/target"
)

// cluster is three machines with Patroni, and a Pando that is given all of them.
type cluster struct {
	*localcluster.Patroni
	*load
}

const database = "app"

func startCluster(t *testing.T) *cluster {
	t.Helper()
	// Patroni would rather have a ttl of 20 s; with one of 5 tests wait less.
	p := localclustertest.Patroni(t, 3, localcluster.PatroniOptions{TTL: 5, LoopWait: 1, RetryTimeout: 2})
	leader, err := p.WaitLeader(t.Context())
	must(t, err)
	must(t, leader.CreateDatabase(t.Context(), database))
	s := serve(t, p.URL(database, "postgres"))
	l, err := newLoad(t.Context(), s)
	must(t, err)
	return &cluster{p, l}
}

func serve(t *testing.T, url string) *target.Server {
	t.Helper()
	s, err := target.StartPandoIn(t.Context(), t.TempDir(), target.Surroundings{Database: url})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			text := s.Output()
			t.Logf("pando's last words:\n%s", text[max(0, len(text)-6000):])
		}
		s.Stop()
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// still lets the load go on for a while.
func still(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// promoted waits until another node than old says that it is the primary, and
// when that was.
func (c *cluster) promoted(t *testing.T, old *localcluster.PatroniNode) (*localcluster.PatroniNode, time.Duration) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, n := range c.Nodes() {
			if n == old {
				continue
			}
			if is, err := n.Exec(t.Context(), "SELECT pg_is_in_recovery()"); err == nil && is == "f" {
				return n, c.now()
			}
		}
	}
	t.Fatal("nobody was promoted within a minute")
	return nil, 0
}

// firstCommit is when PostgreSQL itself could commit, and have it confirmed.
func firstCommit(ctx context.Context, c *cluster, n *localcluster.PatroniNode) chan time.Duration {
	at := make(chan time.Duration, 1)
	go func() {
		if _, err := n.ExecIn(ctx, database, "UPDATE _pando_lease SET host = host"); err == nil {
			at <- c.now()
		}
		close(at)
	}()
	return at
}

// judge checks what every fault has in common, and says the figures in one line.
func (c *cluster) judge(t *testing.T, what string, from time.Duration) figures {
	t.Helper()
	f := c.between(from, c.now())
	t.Logf("%s: %v", what, f)
	if f.readsFailed > 0 || f.readGap > time.Second {
		t.Errorf("%s: %d reads failed, and for %v none was answered", what, f.readsFailed, f.readGap)
	}
	for _, odd := range f.odd {
		t.Errorf("%s: %s", what, odd)
	}
	return f
}

// kept checks, on the primary itself, that no answered write is lost.
func (c *cluster) kept(t *testing.T) {
	t.Helper()
	leader, err := c.WaitLeader(t.Context())
	must(t, err)
	rows, err := leader.ExecIn(t.Context(), database, "SELECT id, n FROM counters")
	must(t, err)
	there := 0
	for line := range strings.Lines(rows) {
		var id string
		var n int64
		if _, err := fmt.Sscanf(strings.ReplaceAll(line, "|", " "), "%s %d", &id, &n); err != nil {
			t.Fatal(err)
		}
		for i := range keys {
			if k := &c.keys[i]; keyID(i) == id {
				there++
				if n < k.floor.Load() || n > k.sent.Load() {
					t.Errorf("%s is %d, after %d was answered to a writer and %d to somebody", id, n, k.wrote.Load(), k.floor.Load())
				}
			}
		}
	}
	if there != keys {
		t.Errorf("%d of %d records are there", there, keys)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.violations {
		t.Error(v)
	}
}

var long = os.Getenv("PANDO_PROVE") != ""

// TestPrimaryKilled: kill -9 of the primary, again and again.
func TestPrimaryKilled(t *testing.T) {
	c := startCluster(t)
	c.start(context.Background())
	times := 1
	if long {
		times = 10
	}
	still(t, time.Second)
	for i := range times {
		old, err := c.WaitLeader(t.Context())
		must(t, err)
		from := c.now()
		how := "PostgreSQL of the primary killed"
		if i%2 == 0 {
			must(t, old.Database.Kill())
		} else {
			how = "the primary's machine killed"
			must(t, old.Kill())
		}
		heir, at := c.promoted(t, old)
		commit := firstCommit(t.Context(), c, heir)
		must(t, old.Start(t.Context()))
		must(t, c.WaitReady(t.Context()))
		still(t, time.Second)
		c.judge(t, how, from)
		c.resumed(t, from, at, commit)
	}
	c.end()
	c.kept(t)
}

// resumed checks how soon writes went on after the promotion.
func (c *cluster) resumed(t *testing.T, from, promoted time.Duration, commit chan time.Duration) {
	t.Helper()
	first, possible := c.firstWrite(promoted), <-commit
	t.Logf("  promoted after %v; %v later PostgreSQL confirmed a commit, and %v later Pando answered a write",
		(promoted - from).Round(time.Millisecond), (possible - promoted).Round(time.Millisecond), (first - promoted).Round(time.Millisecond))
	if first == 0 || first-max(promoted, possible) > time.Second {
		t.Errorf("writes resumed %v after the promotion, and %v after PostgreSQL could commit", first-promoted, first-possible)
	}
}
