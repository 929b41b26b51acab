package failover

import (
	"context"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
)

// strayedWait is for how long writes may stand still where no replica can follow the
// new primary before it is rewound.
const strayedWait = 30 * time.Second

// TestStrayed: the primary's machine is killed when the replica that is not promoted
// has more of its log than the one that is. It cannot follow before it is rewound, and
// what it has is taken back: only an answer with Age may show it.
func TestStrayed(t *testing.T) {
	if !long {
		t.Skip("a cluster of its own, for make prove")
	}
	c := startCluster(t, localcluster.PatroniOptions{})
	c.aged = true
	c.start(context.Background())
	defer c.end()
	still(t, time.Second)
	old := c.leader(t)
	standby, err := c.SyncStandby(t.Context())
	must(t, err)
	from := c.now()
	must(t, old.FreezeSenders(standby.Name()))
	still(t, 300*time.Millisecond)
	must(t, old.Kill())
	if !c.failover(t, "the primary's machine killed, and the other replica had more than the one promoted", old, from,
		func() {
			must(t, c.WaitReady(t.Context())) // of the two that are left
			must(t, old.Start(t.Context()))
		}) {
		t.Error("the other replica had no more than the one promoted")
	}
	t.Logf("  %d answers with Age were older than one before, or showed what was taken back", c.older.Load())
}
