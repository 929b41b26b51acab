package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// beside runs statements as another program.
func beside(t *testing.T, s *Store, sql ...string) {
	t.Helper()
	c, err := connect(t.Context(), s.hosts[0].cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.exec(t.Context(), sql...); err != nil {
		t.Fatal(err)
	}
}

// TestTriggersThatWarn: a warning says nothing of what became of a write, unless it is the one
// that no standby has confirmed it.
func TestTriggersThatWarn(t *testing.T) {
	s, c := fresh(t, Options{})
	beside(t, s, `CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'look'; RETURN NEW; END $$`,
		`CREATE TRIGGER warn BEFORE INSERT OR UPDATE ON things FOR EACH ROW EXECUTE FUNCTION warn()`)
	write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "", 1)) })
	write(t, s, func(tx store.Tx) error {
		rec, err := tx.Record(t.Context(), c, "a")
		if err != nil {
			return err
		}
		next := rec.Clone()
		next.Set("n", 2.0)
		return tx.Update(t.Context(), rec, next)
	})
	if rec := get(t, s, c, "a"); rec == nil || rec.Get("n") != 2.0 {
		t.Errorf("%v", rec)
	}
}

// TestATriggerLeavesOut: an insert of which a trigger of another program makes nothing is not
// run again and again, with what the trigger does besides.
func TestATriggerLeavesOut(t *testing.T) {
	s, c := fresh(t, Options{})
	beside(t, s, `CREATE TABLE archive (id text)`,
		`CREATE FUNCTION aside() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO archive VALUES (NEW.id); RETURN NULL; END $$`,
		`CREATE TRIGGER aside BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION aside()`)
	write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "a", "", 1)) })
	_, conn, err := s.nodes.writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, err := conn.queryInt(t.Context(), "SELECT count(*) FROM archive")
	s.nodes.of(s.nodes.watcher.State().Primary()).release(conn)
	if err != nil || n < 1 || n > 2 { // once to find out
		t.Errorf("it was run %d times, %v", n, err)
	}
}

// TestARowIsLocked: who wants a row that another program keeps is told so, and keeps nobody
// else from writing.
func TestARowIsLocked(t *testing.T) {
	pg, url := localclustertest.Database(t)
	s := open(t, Options{URL: url, WriteWait: 2 * time.Second})
	c := create(t, s, things())
	for _, id := range []string{"a", "b"} {
		write(t, s, func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, id, "", 1)) })
	}
	app := url[strings.LastIndex(url, "/")+1:]
	app, _, _ = strings.Cut(app, "?")
	ctx, stop := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	go func() {
		_, err := pg.ExecIn(ctx, app, "BEGIN; UPDATE things SET n = n WHERE id = 'a'; SELECT pg_sleep(60)")
		kept <- err
	}()
	t.Cleanup(func() { stop(); <-kept })
	asleep := func() bool {
		n, err := pg.ExecIn(t.Context(), app, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
		return err == nil && strings.TrimSpace(n) == "1"
	}
	deadline := time.Now().Add(10 * time.Second)
	for ; !asleep() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if !asleep() {
		t.Fatal("the row is not kept")
	}
	update := func(id string) error {
		_, err := s.Write(t.Context(), func(tx store.Tx) error {
			rec, err := tx.Record(t.Context(), c, id)
			if err != nil {
				return err
			}
			next := rec.Clone()
			next.Set("n", rec.Get("n").(float64)+1)
			return tx.Update(t.Context(), rec, next)
		})
		return err
	}
	told := make(chan error, 1)
	go func() { told <- update("a") }()
	var slowest time.Duration
	for {
		select {
		case err := <-told:
			if pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "locked") {
				t.Errorf("who wants the row is told: %v", err)
			}
			if slowest >= s.opts.WriteWait {
				t.Errorf("another write took %v", slowest)
			}
			return
		default:
		}
		began := time.Now()
		if err := update("b"); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
}

// TestTheTimeIsOver: a request whose own time is over was not refused for a fault of ours.
func TestTheTimeIsOver(t *testing.T) {
	s, c := fresh(t, Options{PoolSize: 2})
	for range 2 {
		n, conn, err := s.nodes.writer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer n.release(conn)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Write(ctx, func(tx store.Tx) error {
		_, err := tx.Record(ctx, c, "a")
		return err
	})
	if pando.KindOf(err) != pando.KindUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it is told: %v", err)
	}
}
