package failover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// frozenCost is what a host that stands still may cost a request.
const frozenCost = 500 * time.Millisecond

// TestFrozenHost: a host that stands still, wherever it is in the list, costs no
// request much: a replica while it is read, and a former primary from the start.
func TestFrozenHost(t *testing.T) {
	c := localclustertest.Replicated(t, 2, localcluster.ReplicatedOptions{})
	must(t, c.Primary().CreateDatabase(t.Context(), database))
	must(t, c.WaitReplayed(t.Context()))
	l, err := newLoad(t.Context(), serve(t, listed(c, c.Node(0), c.Node(1), c.Node(2))))
	must(t, err)
	for place, order := range [][]*localcluster.Postgres{
		{c.Node(2), c.Node(0), c.Node(1)}, {c.Node(1), c.Node(2), c.Node(0)}, {c.Node(0), c.Node(1), c.Node(2)},
	} {
		l.costs(t, fmt.Sprintf("a replica, host %d of 3, frozen", place+1), listed(c, order...), func() time.Duration {
			from := l.now()
			must(t, c.Node(2).Freeze())
			still(t, 1500*time.Millisecond)
			must(t, c.Node(2).Thaw())
			return from
		})
	}

	// The primary is frozen and replaced, and a server started that is told of it.
	// Replication is asynchronous here: what was answered last must not be lost.
	old := c.Primary()
	must(t, c.WaitReplayed(t.Context()))
	must(t, old.Freeze())
	must(t, c.Promote(t.Context(), 1))
	for place := range 3 {
		order := slices.Insert([]*localcluster.Postgres{c.Node(1), c.Node(2)}, place, old)
		what := fmt.Sprintf("a former primary, host %d of 3, frozen from the start", place+1)
		l.costs(t, what, listed(c, order...), func() time.Duration { return 0 })
	}
	for _, v := range l.violations {
		t.Error(v)
	}
}

// listed is a URL with the hosts in this order.
func listed(c *localcluster.Replicated, nodes ...*localcluster.Postgres) string {
	var hosts []string
	for _, n := range nodes {
		hosts = append(hosts, n.Addr())
	}
	_, rest, _ := strings.Cut(strings.TrimPrefix(c.URL(database, "postgres"), "postgres://postgres@"), "/")
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/" + rest
}

// restart has another server in the place of the present one.
func (l *load) restart(t *testing.T, url string) {
	t.Helper()
	l.server.Stop()
	l.server, l.log = serve(t, url), nil
}

// costs has a server at url, and a host stand still beside it, from the time that is
// returned on. What the design makes of that comes again with it, and the machine's part
// does not: a request must have taken too long three times.
func (l *load) costs(t *testing.T, what, url string, freeze func() (from time.Duration)) {
	t.Helper()
	for try := 1; ; try++ {
		l.restart(t, url)
		l.start(context.Background())
		still(t, 1500*time.Millisecond)
		from := freeze()
		l.end()
		read, write := l.cost(t, what, from)
		if read <= frozenCost && write <= frozenCost {
			return
		}
		if try == 3 {
			t.Errorf("%s: a read took %v longer than before, a write %v, and too long %d times", what, read, write, try)
			return
		}
	}
}

// cost is by how much requests took longer than the slowest of before on this machine.
// It checks that all were answered.
func (l *load) cost(t *testing.T, what string, from time.Duration) (read, write time.Duration) {
	t.Helper()
	before, f := l.between(0, from), l.between(from, l.now())
	t.Logf("%s: %v; before, reads took up to %v and writes up to %v", what, f, before.slowRead, before.slowWrite)
	if f.readsFailed+f.writesFailed > 0 || len(f.odd) > 0 {
		t.Errorf("%s: %d reads and %d writes failed: %v", what, f.readsFailed, f.writesFailed, f.odd)
	}
	return f.slowRead - before.slowRead, f.slowWrite - before.slowWrite
}
