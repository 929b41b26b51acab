package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
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

// A node that does not come to the end of what it replays may have shown more than it says. Who
// reads is told so when the read has taken its time, and not when each of its tries has.
func TestReplaysForLong(t *testing.T) {
	s, _ := fresh(t, Options{WriteWait: time.Second})
	ctx := t.Context()
	n, c, err := s.nodes.writer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer n.release(c)
	busy := &query{sql: "CREATE TEMP VIEW pg_stat_activity AS SELECT 'IO'::text wait_event_type, 'DataFileTruncate'::text wait_event, 'startup'::text backend_type"}
	var at mark
	if err := c.run(ctx, busy, at.query(reachedSQL, false)); err != nil {
		t.Fatal(err)
	}
	defer c.run(context.Background(), &query{sql: "DROP VIEW pg_temp.pg_stat_activity"})
	r := &snapshot{reader: reader{s: s}, c: c, stream: streamRead{began: time.Now().Add(-s.opts.WriteWait)}}
	began := time.Now()
	if err := r.whole(ctx, &at); !errors.Is(err, errReplaying) || time.Since(began) > s.opts.WriteWait {
		t.Errorf("a try behind others, after %v: %v", time.Since(began), err)
	}
	tries := 0
	err = s.Read(ctx, func(r store.Reader) error {
		tries++
		return r.(*snapshot).elsewhere(errReplaying)
	})
	if pando.KindOf(err) != pando.KindUnavailable || tries != 1 {
		t.Errorf("tried %d times: %v", tries, err)
	}
}
