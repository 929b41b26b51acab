package consistency

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/target"
)

// onReplicas is a server on a new database of a primary with replicas. What
// another program writes there nobody need see before the server is told of it.
func onReplicas(t *testing.T, c *localcluster.Replicated, db string, start func(url string) *target.Server) ground {
	t.Helper()
	if err := c.Primary().CreateDatabase(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Primary().ExecIn(t.Context(), db, "GRANT ALL ON SCHEMA public TO PUBLIC; GRANT CREATE ON DATABASE "+quoteName(db)+" TO PUBLIC"); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReplayed(t.Context()); err != nil {
		t.Fatal(err)
	}
	beside := func(sql string) (string, error) { return c.Primary().ExecIn(context.Background(), db, sql) }
	return ground{server: start(c.URL(db, "postgres")), log: newSlot(db, beside), beside: beside}
}

func quoteName(name string) string { return `"` + name + `"` }

// asBuilt starts the server as it is built.
func asBuilt(t *testing.T) func(url string) *target.Server {
	return func(url string) *target.Server {
		t.Helper()
		s, err := target.StartPandoIn(t.Context(), t.TempDir(), target.Surroundings{Database: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		return s
	}
}

// uncached starts it without a cache: every read is one of the database.
func uncached(t *testing.T) func(url string) *target.Server {
	return func(url string) *target.Server {
		t.Helper()
		s, err := target.StartPandoIn(t.Context(), t.TempDir(), target.Surroundings{Database: url}, "--cache-size", "off")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		return s
	}
}

// twoReplicas is a primary with two of them, of which commits wait for the second,
// as long as that one is there.
func twoReplicas(t *testing.T) *localcluster.Replicated {
	t.Helper()
	c := localclustertest.Replicated(t, 2, localcluster.ReplicatedOptions{Options: localcluster.Options{MaxConnections: 300}})
	names := fmt.Sprintf(`FIRST 1 ("%s", "%s")`, c.Node(2).Name(), c.Node(1).Name())
	if err := c.Primary().Set(t.Context(), "synchronous_standby_names", names); err != nil {
		t.Fatal(err)
	}
	return c
}

// unsteady makes the last replica late: by a little or by much, without end or
// not, and cut off from its primary, in turns that nobody can foresee. It holds still
// while somebody else has the lock.
func unsteady(c *localcluster.Replicated, seed uint64, still sync.Locker) func(context.Context) error {
	dice := dice(seed, 1)
	return func(ctx context.Context) error {
		back := context.WithoutCancel(ctx)
		turn := func() error {
			still.Lock()
			defer still.Unlock()
			var begin, end error
			i := lastReplica(c)
			n, link := c.Node(i), c.Link(i)
			long := time.Duration(dice.IntN(700)) * time.Millisecond
			switch dice.IntN(5) {
			case 0:
				begin = n.ReplayDelay(back, time.Duration(dice.IntN(400))*time.Millisecond)
				pause(ctx, long)
				end = n.ReplayDelay(back, 0)
			case 1:
				begin = n.PauseReplay(back)
				pause(ctx, long)
				end = n.ResumeReplay(back)
			case 2:
				link.Down()
				pause(ctx, long)
				end = link.Up()
			case 3: // its word that a commit is there comes late, when others show it already
				link.Delay(time.Duration(1+dice.IntN(20)) * time.Millisecond)
				pause(ctx, long)
				link.Delay(0)
			case 4:
				pause(ctx, long)
			}
			if begin != nil {
				return fmt.Errorf("disturb %s: %w", n.Name(), begin)
			}
			if end != nil {
				return fmt.Errorf("end the disturbance of %s: %w", n.Name(), end)
			}
			return nil
		}
		for ctx.Err() == nil {
			if err := turn(); err != nil {
				return err
			}
		}
		return nil
	}
}

// lastReplica is the one for which commits wait, by its number.
func lastReplica(c *localcluster.Replicated) int {
	if c.Node(2) == c.Primary() {
		return 1
	}
	return 2
}

// reads is how many reads the primary and the replicas have answered so far.
type reads struct{ primary, replica float64 }

func served(t *testing.T, s *target.Server) (r reads) {
	t.Helper()
	var err error
	if r.primary, err = s.Sum(t.Context(), "pando_db_reads_total", "role", "primary"); err == nil {
		r.replica, err = s.Sum(t.Context(), "pando_db_reads_total", "role", "replica")
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r reads) since(old reads) reads { return reads{r.primary - old.primary, r.replica - old.replica} }

func (r reads) String() string {
	return fmt.Sprintf("%.0f reads answered by the primary, %.0f by replicas (%.2f%%)", r.primary, r.replica, 100*r.byReplicas())
}

// byReplicas is their share.
func (r reads) byReplicas() float64 { return r.replica / (r.primary + r.replica) }
