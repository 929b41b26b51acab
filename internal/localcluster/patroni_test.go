package localcluster_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// TestPatroni: a cluster made of deploy/patroni goes through the faults and the
// work of docs/operate-postgresql.md, by its commands.
func TestPatroni(t *testing.T) {
	t.Parallel() // it waits, mostly
	began := time.Now()
	lap := func(what string) {
		t.Helper()
		t.Logf("%5.2f s %s", time.Since(began).Seconds(), what)
		began = time.Now()
	}
	c := localclustertest.Patroni(t, 3, localcluster.PatroniOptions{
		Options: localcluster.Options{Password: "it's a: secret"},
		TTL:     5, LoopWait: 1, RetryTimeout: 2,
	})
	lap("three nodes from nothing, one of them synchronous")
	ctx := t.Context()

	first, err := c.WaitLeader(ctx)
	must(t, err)
	query(t, first, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
	mayMonitor(t, c, first)
	url := c.URL("postgres", "postgres") + "?target_session_attrs=read-write"
	if out, err := exec.Command("psql", "-wXAtc", "SELECT a FROM t", url).CombinedOutput(); err != nil || string(out) != "1\n" {
		t.Errorf("psql by %s: %q, %v", url, out, err)
	}

	// PostgreSQL alone dies: another takes over, without the lock running out.
	began = time.Now()
	must(t, first.Database.Kill())
	second, err := c.WaitLeader(ctx, first)
	must(t, err)
	lap("a new leader after PostgreSQL was killed")
	must(t, c.WaitReady(ctx))
	lap("whole again")
	if tli, err := second.Timeline(ctx); err != nil || tli != 2 {
		t.Errorf("timeline %d, %v", tli, err)
	}

	// The whole machine hangs: the lock has to run out.
	query(t, second, "INSERT INTO t VALUES (2)")
	began = time.Now()
	must(t, second.Freeze())
	third, err := c.WaitLeader(ctx, second)
	must(t, err)
	lap("a new leader after a machine was frozen")
	if got := query(t, third, "SELECT count(*) FROM t"); got != "2" {
		t.Errorf("%s rows on the new leader", got)
	}

	// Two primaries: of the old one only Patroni hangs now, and it answers no write.
	must(t, second.Database.Thaw())
	soon(t, "the old primary answers reads", func() bool { _, err := second.Exec(ctx, "SELECT 1"); return err == nil })
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if _, err := second.Exec(short, "INSERT INTO t VALUES (3)"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write to the old primary was answered: %v", err)
	}

	// Then it is lost, disk and all.
	must(t, second.Lose())
	began = time.Now()
	must(t, second.Start(ctx))
	must(t, c.WaitReady(ctx))
	lap("the lost machine is a replica again")

	operate(t, c, "patronictl switchover pando --force", "")
	fourth, err := c.WaitLeader(ctx, third)
	must(t, err)
	lap("switchover")
	must(t, c.WaitReady(ctx)) // a setting that changes while a node starts passes it by
	lap("whole again")
	operate(t, c, "patronictl restart pando --role leader --force", "")
	operate(t, c, "patronictl edit-config pando --force -p work_mem=16MB", "")
	soon(t, "the setting is on every node", func() bool {
		for _, n := range c.Nodes() {
			if v, err := n.Exec(ctx, "SHOW work_mem"); err != nil || v != "16MB" {
				return false
			}
		}
		return true
	})
	operate(t, c, "patronictl list pando", "")
	lap("restart, edit-config, list")
	if leader, err := c.WaitLeader(ctx); err != nil || leader != fourth {
		t.Errorf("a restart of PostgreSQL has moved the leader: %v", err)
	}
	operate(t, c, "patronictl reinit pando node3 --force --wait", third.Name())
	must(t, c.WaitReady(ctx))
	lap("reinit")
}

// operate runs a command as it stands in the manual, for this cluster and node.
func operate(t *testing.T, c *localcluster.Patroni, command, node string) {
	t.Helper()
	manual, err := os.ReadFile("../../docs/operate-postgresql.md")
	must(t, err)
	if !strings.Contains(string(manual), "\n"+command+"\n") {
		t.Errorf("docs/operate-postgresql.md has no line %q", command)
	}
	args := strings.Fields(command)[1:]
	for i, a := range args {
		switch {
		case a == "pando":
			args[i] = c.Scope()
		case node != "" && strings.HasPrefix(a, "node"):
			args[i] = node
		}
	}
	out, err := c.Ctl(t.Context(), args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// mayMonitor: the role that deploy/patroni/README.md makes for Pando may ask what
// Pando has to know, and make tables and schemas.
func mayMonitor(t *testing.T, c *localcluster.Patroni, leader *localcluster.PatroniNode) {
	t.Helper()
	readme, err := os.ReadFile("../../deploy/patroni/README.md")
	must(t, err)
	for _, sql := range []string{"CREATE ROLE pando LOGIN REPLICATION PASSWORD '…'", "CREATE DATABASE app OWNER pando", "GRANT pg_monitor TO pando"} {
		if !strings.Contains(string(readme), `"`+sql+`"`) {
			t.Errorf("deploy/patroni/README.md does not say %s", sql)
		}
		query(t, leader, sql)
	}
	// Soon, for a replica has first to replay what makes the role.
	ask := func(n *localcluster.PatroniNode, sql string) {
		t.Helper()
		soon(t, "pando may ask "+sql, func() bool {
			out, err := n.ExecIn(t.Context(), "app", "SET ROLE pando; "+sql)
			return err == nil && out != ""
		})
	}
	if _, err := leader.ExecIn(t.Context(), "app", "SET ROLE pando; CREATE SCHEMA _pando; CREATE TABLE t (a int)"); err != nil {
		t.Errorf("as pando: %v", err)
	}
	ask(leader, "SELECT pg_is_in_recovery(), system_identifier, pg_walfile_name(pg_current_wal_lsn()), pg_current_wal_flush_lsn() FROM pg_control_system()")
	ask(leader, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")
	for _, n := range c.Nodes() {
		if n != leader {
			ask(n, "SELECT received_tli FROM pg_stat_wal_receiver WHERE received_tli > 0 AND pg_last_wal_replay_lsn() IS NOT NULL AND pg_last_wal_receive_lsn() IS NOT NULL")
		}
	}
}
