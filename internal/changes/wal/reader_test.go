package wal_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/changes/wal"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store/postgres"
)

// Without commits the position follows the log, and Next returns in time.
func TestIdle(t *testing.T) {
	g := open(t, postgres.Options{})
	g.entries()
	for range 20 {
		// What is in the log and is no change of ours.
		g.exec("CREATE TEMP TABLE IF NOT EXISTS temp (a int); BEGIN; CREATE TABLE gone (a int); ROLLBACK; SELECT pg_switch_wal()")
		n, started := g.flushed(), time.Now()
		for {
			before := time.Now()
			c, err := g.r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(before); d > 5*time.Second { // 20 ms; what is wrong waits for a commit
				t.Errorf("Next took %s", d)
			}
			if c.To >= n {
				break
			}
			if time.Since(started) > 10*time.Second {
				t.Fatalf("it is at %s and does not reach %s", c.To.LSN(), n.LSN())
			}
		}
	}
}

// Who asks knows within a moment, and not with the next beat.
func TestAsk(t *testing.T) {
	g := open(t, postgres.Options{})
	best := time.Hour
	for try := 0; try < 5 && best > 15*time.Millisecond; try++ { // what else the machine does only adds
		var took []time.Duration
		for range 50 {
			g.exec("SELECT pg_logical_emit_message(true, 'other', 'x')")
			n, started := g.flushed(), time.Now()
			g.r.Ask()
			g.until(n)
			took = append(took, time.Since(started))
		}
		slices.Sort(took)
		t.Logf("asked: median %s, most %s", took[25], took[49])
		best = min(best, took[25])
	}
	if best > 15*time.Millisecond {
		t.Errorf("median %s", best)
	}
}

// What was confirmed is what the slot may forget, in the end.
func TestConfirm(t *testing.T) {
	wal.ReleaseSoon(t)
	g := open(t, postgres.Options{})
	confirmed := func() string {
		return g.exec("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database()")
	}
	start := g.r.Start().LSN()
	g.exec("INSERT INTO things (id) VALUES ('a')")
	g.entries()
	if got := confirmed(); got != start {
		t.Errorf("confirmed %s before anybody has, want %s", got, start)
	}
	n := g.flushed()
	g.until(n)
	g.r.Confirm(n)
	deadline := time.Now().Add(10 * time.Second)
	for confirmed() != n.LSN() {
		if time.Now().After(deadline) {
			t.Fatalf("confirmed %s, want %s", confirmed(), n.LSN())
		}
		if _, err := g.r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Who reads the log is no standby: no commit waits for it, none is answered because
// of it, and nobody waits for it to stop.
func TestNoStandby(t *testing.T) {
	wal.ReleaseSoon(t)
	for _, names := range []string{"FIRST 1 (*)", "ANY 1 (*)"} {
		t.Run(names, func(t *testing.T) {
			r := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{SyncNames: names, Options: localcluster.Options{NoSync: true}})
			ctx := t.Context()
			if err := r.Primary().CreateDatabase(ctx, "app"); err != nil {
				t.Fatal(err)
			}
			g := open(t, postgres.Options{URL: r.Primary().URL("app", "postgres")})
			// Whatever comes is confirmed, visible or not.
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					c, err := g.r.Next(ctx)
					if err != nil {
						return
					}
					g.r.Confirm(c.To)
				}
			}()
			var took []time.Duration
			for i := range 200 {
				started := time.Now()
				g.exec("INSERT INTO things (id) VALUES ('" + uitoa(uint64(i)) + "')")
				took = append(took, time.Since(started))
			}
			slices.Sort(took)
			t.Logf("a commit: median %s, most %s", took[100], took[199])
			if took[100] > 25*time.Millisecond { // who waited for the reader would wait for it each time
				t.Errorf("half of 200 commits took %s and more", took[100])
			}
			if err := r.Node(1).Freeze(); err != nil {
				t.Fatal(err)
			}
			for _, mode := range []string{"remote_write", "on", "remote_apply"} {
				bound, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
				_, err := g.session().Exec(bound, "SET synchronous_commit = "+mode+"; INSERT INTO things (id) VALUES ('"+mode+"')").ReadAll()
				cancel()
				if err == nil {
					t.Errorf("%s: a commit was answered without a standby", mode)
				}
			}
			if err := r.Node(1).Thaw(); err != nil {
				t.Fatal(err)
			}
			g.exec("INSERT INTO things (id) VALUES ('then')")
			started := time.Now()
			if err := r.Primary().Stop(); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(started); d > 10*time.Second { // who waited for the reader would take its wal_sender_timeout, 15 s, or more
				t.Errorf("the server took %s to stop", d)
			}
			<-done
		})
	}
}

// A lost connection ends the reader, which still hands out what it has.
func TestKilled(t *testing.T) {
	g := open(t, postgres.Options{})
	ctx := t.Context()
	g.exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := g.r.Next(ctx); err != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case err := <-ended:
		if !strings.Contains(err.Error(), "57P01") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	if _, err := g.r.Next(ctx); err == nil {
		t.Error("it goes on after it has ended")
	}
	g.r.Ask()
	g.r.Confirm(1 << 60)
	g.follow()
	g.exec("INSERT INTO things (id) VALUES ('after')")
	if list := g.entries(); len(list) != 1 {
		t.Errorf("the next one: %d entries", len(list))
	}
}

// Whoever is slow holds the server back, and misses nothing.
func TestSlow(t *testing.T) {
	g := open(t, postgres.Options{})
	const n = 10_000
	g.exec("SET synchronous_commit = off")
	for i := range n / 100 {
		var b strings.Builder
		for k := range 100 {
			b.WriteString("BEGIN; INSERT INTO things (id) VALUES ('" + uitoa(uint64(i*100+k)) + "'); COMMIT;")
		}
		g.exec(b.String())
	}
	g.exec("SET synchronous_commit = on; INSERT INTO things (id) VALUES ('end')")
	if list := g.entries(); len(list) != n+1 {
		t.Errorf("%d entries", len(list))
	}
}

// Nothing runs on after Close, wherever it was.
func TestNothingIsLeft(t *testing.T) {
	g := open(t, postgres.Options{})
	before := goleak.IgnoreCurrent()
	r, err := g.s.Log().Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, err := r.Next(context.Background()); err != nil {
				return
			}
		}
	})
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if got := g.exec("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); got != "1" { // g's own
		t.Errorf("%s slots are left", got)
	}
	_ = r.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.s.Log().Open(gone); err == nil {
		t.Error("opened with a context that is done")
	}
	goleak.VerifyNone(t, before)
}

// The figure that everything else waits for.
func TestLatency(t *testing.T) {
	g := open(t, postgres.Options{})
	ctx := t.Context()
	got := make(chan position.N, 1)
	go func() {
		for {
			c, err := g.r.Next(ctx)
			if err != nil {
				return
			}
			if len(c.Entries) > 0 {
				got <- c.Entries[0].N
			}
		}
	}()
	var took []time.Duration
	for i := range 400 {
		g.exec("INSERT INTO things (id) VALUES ('" + uitoa(uint64(i)) + "')")
		started := time.Now()
		<-got
		took = append(took, time.Since(started))
	}
	slices.Sort(took)
	t.Logf("from COMMIT's answer to the entry: p50 %s, p99 %s, most %s", took[200], took[395], took[399])
}
