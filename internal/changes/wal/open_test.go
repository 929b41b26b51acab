package wal_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/changes/wal"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store/postgres"
)

// A slot waits for the transactions that are open, and it is said whose.
func TestWaits(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	if err := pg.CreateDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	g := open(t, postgres.Options{URL: pg.URL("app", "postgres")})
	g.r.Close()
	run(t, g.sql, "SET application_name = 'a report'; BEGIN; INSERT INTO things (id) VALUES ('open')")
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := g.s.Log().Open(ctx)
	if err == nil || !strings.Contains(err.Error(), "a report") || !strings.Contains(err.Error(), uitoa(uint64(g.sql.PID()))) {
		t.Errorf("it does not say whom it waits for: %v", err)
	}
	if d := time.Since(started); d > 6*time.Second {
		t.Errorf("it gave up after %s", d)
	}
	opened := make(chan changes.LogReader)
	go func() {
		r, err := g.s.Log().Open(context.Background())
		if err != nil {
			t.Error(err)
		}
		opened <- r
	}()
	other := g.session()
	for run(t, other, "SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" { // until it waits
	}
	g.exec("COMMIT")
	g.r = <-opened
	defer g.r.Close()
	g.exec("INSERT INTO things (id) VALUES ('then')")
	if list := g.entries(); len(list) != 1 || list[0].Rows[0].ID != "then" {
		t.Errorf("%+v", list)
	}
}

// TestAPrimaryThatSaysNothing: a host that takes a connection and says no more is not waited for
// when it is the primary no longer.
func TestAPrimaryThatSaysNothing(t *testing.T) {
	cfg, err := pgconn.ParseConfig("postgres://nobody@db.invalid/app?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	asked, gone := make(chan struct{}), make(chan struct{})
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		go func() {
			var b [1]byte
			_, _ = theirs.Read(b[:])
			close(asked)
			_, _ = io.Copy(io.Discard, theirs)
		}()
		return ours, nil
	}
	log := wal.New(wal.Config{Primary: func(context.Context) (*pgconn.Config, <-chan struct{}, error) { return cfg, gone, nil }})
	opened := make(chan error)
	go func() {
		_, err := log.Open(t.Context())
		opened <- err
	}()
	<-asked
	close(gone)
	select {
	case err := <-opened:
		if err == nil || !strings.Contains(err.Error(), "primary") {
			t.Error(err)
		}
	case <-time.After(3 * time.Second): // less than a connection may take
		t.Fatal("it waits on")
	}
}

// A promotion ends the reader of the old primary; one of the new has another epoch.
func TestPromotion(t *testing.T) {
	r := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{Options: localcluster.Options{NoSync: true}})
	ctx := t.Context()
	if err := r.Primary().CreateDatabase(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitReplayed(ctx); err != nil {
		t.Fatal(err)
	}
	g := open(t, postgres.Options{URL: r.URL("app", "postgres")})
	g.exec("INSERT INTO things (id) VALUES ('a')")
	g.entries()
	if err := r.WaitReplayed(ctx); err != nil {
		t.Fatal(err)
	}
	// Frozen, it does not end anything itself.
	if err := r.Primary().Freeze(); err != nil {
		t.Fatal(err)
	}
	old := r.Primary()
	if err := r.Promote(ctx, 1); err != nil {
		t.Fatal(err)
	}
	var err error
	bound, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for err == nil {
		_, err = g.r.Next(bound)
	}
	if !strings.Contains(err.Error(), "the primary is one no more") {
		t.Errorf("it ended with %v", err)
	}
	before := g.r.Epoch()
	g.r.Close()
	if err := old.Kill(); err != nil {
		t.Fatal(err)
	}
	g.url = r.Primary().URL("app", "postgres")
	g.sql = g.session()
	g.follow()
	if now := g.r.Epoch(); now.Timeline != before.Timeline+1 || now.Database != before.Database {
		t.Errorf("the epoch was %+v and is %+v", before, now)
	}
	g.exec("INSERT INTO things (id) VALUES ('b')")
	if list := g.entries(); len(list) != 1 || list[0].Rows[0].ID != "b" {
		t.Errorf("%+v", list)
	}
}

// Where the log is not to be had, it is said why.
func TestNotPossible(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true, Settings: map[string]string{"wal_level": "replica"}})
	ctx := t.Context()
	if err := pg.CreateDatabase(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Exec(ctx, "CREATE ROLE plain LOGIN; ALTER DATABASE app OWNER TO plain"); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.ExecIn(ctx, "app", "ALTER SCHEMA public OWNER TO plain"); err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		s, err := postgres.Open(ctx, postgres.Options{URL: pg.URL("app", "plain"), OneShot: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		why, ok := s.StreamPossible(ctx)
		if ok != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%q, %v; want %q", why, ok, want)
		}
		r, err := s.Log().Open(ctx)
		if want == "" && err == nil {
			r.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("opened with %v, want %q", err, want)
		}
	}
	check("wal_level is replica")
	restart := func(settings ...string) {
		t.Helper()
		if err := pg.Set(ctx, settings...); err != nil {
			t.Fatal(err)
		}
		if err := pg.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	restart("wal_level", "logical", "max_replication_slots", "0")
	check("ALTER ROLE plain REPLICATION")
	if _, err := pg.Exec(ctx, "ALTER ROLE plain REPLICATION"); err != nil {
		t.Fatal(err)
	}
	check("raise max_replication_slots")
	restart("max_replication_slots", "2")
	check("")
	if _, err := pg.ExecIn(ctx, "app", "DROP PUBLICATION pando; REVOKE CREATE ON DATABASE app FROM plain; ALTER DATABASE app OWNER TO postgres"); err != nil {
		t.Fatal(err)
	}
	check("GRANT CREATE ON DATABASE app TO plain")
}
