package postgres

import (
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// A replica that replays nothing says so at once, whatever it waits for: nobody has to
// wait until it has stood still for a while.
func TestIdle(t *testing.T) {
	c := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{Options: localcluster.Options{NoSync: true}})
	ctx := t.Context()
	replica := c.Node(1)
	idle := func(state string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; {
			out, err := replica.Exec(ctx, "SELECT count(*) FROM ("+idleSQL+") i")
			if err != nil {
				t.Fatal(err)
			}
			if out == "1" {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: it seems to replay something", state)
			}
		}
	}
	write := func() {
		t.Helper()
		if _, err := c.Primary().Exec(ctx, "SELECT pg_logical_emit_message(true, 'test', '')"); err != nil {
			t.Fatal(err)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(c.WaitReplayed(ctx))
	idle("it waits for more")
	do(replica.PauseReplay(ctx))
	write()
	idle("replay is paused")
	do(replica.ResumeReplay(ctx))
	do(replica.ReplayDelay(ctx, time.Minute))
	write()
	idle("a commit is delayed")
	do(replica.ReplayDelay(ctx, 0))
	do(c.Primary().Kill())
	idle("there is no primary")
}
