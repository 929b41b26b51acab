package localcluster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

type execer interface {
	Exec(ctx context.Context, sql string) (string, error)
}

func query(t *testing.T, on execer, sql string) string {
	t.Helper()
	out, err := on.Exec(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// soon looks until it is so, for ten seconds at most.
func soon(t *testing.T, what string, look func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for ; !look(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// TestReplicas: two of them follow, are late when told, lose the connection and
// find it again; one is promoted and the other follows it; the old primary is cloned.
func TestReplicas(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := localclustertest.Replicated(t, 2, localcluster.ReplicatedOptions{SyncNames: "ANY 1 (*)", Slots: true, Options: localcluster.Options{Password: "secret word's"}})
	t.Logf("a primary and two replicas after %v", time.Since(began))
	ctx := t.Context()
	count := func(i int) string { t.Helper(); return query(t, c.Node(i), "SELECT count(*) FROM t") }

	query(t, c.Primary(), "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
	must(t, c.WaitReplayed(ctx))
	if count(1) != "1" || count(2) != "1" {
		t.Error("a replica lacks the row")
	}
	if got := query(t, c.Primary(), "SELECT count(*) FROM pg_replication_slots WHERE active"); got != "2" {
		t.Errorf("%s active slots", got)
	}
	if a, b := query(t, c.Node(0), "SELECT system_identifier FROM pg_control_system()"), query(t, c.Node(1), "SELECT system_identifier FROM pg_control_system()"); a != b {
		t.Errorf("system identifiers %s and %s", a, b)
	}

	// Paused, a replica stands still; the primary does not.
	must(t, c.Node(1).PauseReplay(ctx))
	query(t, c.Primary(), "INSERT INTO t VALUES (2)")
	soon(t, "the other replica has the row", func() bool { return count(2) == "2" })
	if count(1) != "1" {
		t.Error("a paused replica went on")
	}
	must(t, c.Node(1).ResumeReplay(ctx))
	must(t, c.WaitReplayed(ctx))

	// Late by an hour, until told otherwise.
	must(t, c.Node(2).ReplayDelay(ctx, time.Hour))
	query(t, c.Primary(), "INSERT INTO t VALUES (3)")
	soon(t, "the prompt replica has the row", func() bool { return count(1) == "3" })
	if count(2) != "2" {
		t.Error("a late replica was in time")
	}
	must(t, c.Node(2).ReplayDelay(ctx, 0))
	must(t, c.WaitReplayed(ctx))

	// Without its link a replica is alone; with it, it catches up.
	c.Link(1).Down()
	query(t, c.Primary(), "INSERT INTO t VALUES (4)")
	if count(1) != "3" {
		t.Error("a row came without a connection")
	}
	must(t, c.Link(1).Up())
	must(t, c.WaitReplayed(ctx))

	// The primary dies, its heir has everything, and the other replica follows.
	must(t, c.Primary().Kill())
	must(t, c.Promote(ctx, 1))
	must(t, c.WaitStreaming(ctx))
	query(t, c.Primary(), "INSERT INTO t VALUES (5)")
	must(t, c.WaitReplayed(ctx))
	if count(1) != "5" || count(2) != "5" {
		t.Errorf("after the promotion: %s and %s rows", count(1), count(2))
	}
	for i := range 2 {
		if tli, err := c.Node(i + 1).Timeline(ctx); err != nil || tli != 2 {
			t.Errorf("node %d is on timeline %d, %v", i+1, tli, err)
		}
	}
	must(t, c.Clone(ctx, 0))
	must(t, c.WaitReplayed(ctx))
	if count(0) != "5" || query(t, c.Node(0), "SELECT pg_is_in_recovery()") != "t" {
		t.Error("the clone of the old primary is no replica with all rows")
	}
}

// TestFreezeSenders: rows that were answered are lost with the primary.
func TestFreezeSenders(t *testing.T) {
	t.Parallel()
	c := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{})
	ctx := t.Context()
	query(t, c.Primary(), "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
	must(t, c.WaitReplayed(ctx))
	must(t, c.Primary().FreezeSenders())
	query(t, c.Primary(), "INSERT INTO t VALUES (2)")
	must(t, c.Primary().Kill())
	must(t, c.Promote(ctx, 1))
	if got := query(t, c.Primary(), "SELECT count(*) FROM t"); got != "1" {
		t.Errorf("%s rows after the loss, want 1", got)
	}
	if url := c.URL("db", "postgres"); strings.Count(url, "127.0.0.1:") != 2 {
		t.Errorf("URL %s does not name both nodes", url)
	}
}
