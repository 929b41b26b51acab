package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
)

// A backup of a server on PostgreSQL is restored into an empty database, and
// nowhere else; what the API shows is the same.
func TestBackupPostgres(t *testing.T) {
	_, url := localclustertest.Database(t)
	place := server.Place{Dir: filepath.Join(t.TempDir(), "data"), Database: url}
	cfg := config(place.Dir)
	cfg.Database = place.Database
	r := start(t, cfg)
	posts(t, r.info.URL, superuserOf(t, place, r.info.URL))
	for _, title := range []string{"b", "a", "ü\t\\N"} {
		if status, answer := call(t, "POST", r.info.URL+"/api/collections/posts/records", "", map[string]string{"title": title}); status != 200 {
			t.Fatalf("create: %d %v", status, answer)
		}
	}
	_, before := call(t, "GET", r.info.URL+"/api/collections/posts/records", "", nil)
	if before["totalItems"] != 3.0 {
		t.Fatalf("before: %v", before)
	}

	archive := filepath.Join(t.TempDir(), "backup.zip")
	if _, err := server.Backup(t.Context(), place, archive, "v", nil); err != nil { // while it serves
		t.Fatal(err)
	}
	if _, err := server.Restore(t.Context(), archive, server.Place{Dir: filepath.Join(t.TempDir(), "x")}); err == nil || !strings.Contains(err.Error(), "--database") {
		t.Errorf("restored without a database: %v", err)
	}
	if _, err := server.Restore(t.Context(), archive, server.Place{Dir: filepath.Join(t.TempDir(), "x"), Database: url}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restored over data: %v", err)
	}
	_, empty := localclustertest.Database(t)
	restored := server.Place{Dir: filepath.Join(t.TempDir(), "restored"), Database: empty}
	if _, err := server.Restore(context.Background(), archive, restored); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(restored.Dir, "data.pgcopy")); !os.IsNotExist(err) {
		t.Errorf("the copy was left in the directory: %v", err)
	}
	cfg = config(restored.Dir)
	cfg.Database = restored.Database
	again := start(t, cfg)
	_, after := call(t, "GET", again.info.URL+"/api/collections/posts/records", "", nil)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the restored server answers otherwise (-before +after):\n%s", diff)
	}
}

// TestReloadHosts: a host that is added to the configuration is used from then on, and
// the server survives the loss of the one that it was started with. One that is taken
// out is used no more.
func TestReloadHosts(t *testing.T) {
	c := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{})
	first, second := c.Node(0), c.Node(1)
	if err := first.CreateDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	place := server.Place{Dir: filepath.Join(t.TempDir(), "data"), Database: first.URL("app", "postgres")}
	cfg := config(place.Dir)
	cfg.Database = place.Database
	r := start(t, cfg)
	posts(t, r.info.URL, superuserOf(t, place, r.info.URL))
	shows := func(what string, want bool) {
		t.Helper()
		var verbose string
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			_, verbose = fetch(t, http.DefaultClient, "GET", r.info.AdminURL+"/readyz?verbose", nil)
			if strings.Contains(verbose, what) == want {
				return
			}
		}
		t.Fatalf("whether readyz shows %q is not %v:\n%s", what, want, verbose)
	}
	shows(second.Addr(), false)
	cfg.Database = c.URL("app", "postgres")
	if err := r.server.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	shows(second.Addr()+" replica answers since ", true)
	if err := errors.Join(c.WaitReplayed(t.Context()), first.Kill(), c.Promote(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	if status, answer := call(t, "POST", r.info.URL+"/api/collections/posts/records", "", map[string]string{"title": "a"}); status != 200 {
		t.Errorf("after the failover: %d %v", status, answer)
	}
	cfg.Database = second.URL("app", "postgres")
	if err := r.server.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	shows(first.Addr(), false)
}

// TestOperatePostgresMetrics: docs/operate-postgresql.md lists the metrics that a
// server on PostgreSQL has besides, and no others.
func TestOperatePostgresMetrics(t *testing.T) {
	_, url := localclustertest.Database(t)
	cfg := config(t.TempDir())
	cfg.Database = url
	r := start(t, cfg)
	_, metrics := fetch(t, http.DefaultClient, "GET", r.info.AdminURL+"/metrics", nil)
	documented := explained(t, section(t, "Health, metrics, profiles"), "| metric | what it counts |")
	own := []string{"pando_replica_lag_bytes", "pando_replica_lag_seconds"} // there is no replica here
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (pando_\w+) `).FindAllStringSubmatch(metrics, -1) {
		if !slices.Contains(documented, m[1]) {
			own = append(own, m[1])
		}
	}
	slices.Sort(own)
	page, err := os.ReadFile("../docs/operate-postgresql.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(own, explained(t, string(page), "| metric | what it says |")); diff != "" {
		t.Errorf("metrics (-server +docs):\n%s", diff)
	}
	_, verbose := fetch(t, http.DefaultClient, "GET", r.info.AdminURL+"/readyz?verbose", nil)
	if !strings.Contains(verbose, "hosts: 127.0.0.1:") || !strings.Contains(verbose, " primary answers since ") {
		t.Errorf("readyz says nothing of the host:\n%s", verbose)
	}
}

// TestAStartWaitsForTransactions: the log can be read when what was open has ended. A start
// waits for that longer than it does for a database that does not answer, which is 15 s.
func TestAStartWaitsForTransactions(t *testing.T) {
	pg, url := localclustertest.Database(t)
	open := make(chan error, 1)
	go func() {
		_, err := pg.Exec(t.Context(), "SELECT pg_current_xact_id(), pg_sleep(16)")
		open <- err
	}()
	for {
		n, err := pg.Exec(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND query LIKE '%pg_sleep%'")
		if err != nil {
			t.Fatal(err)
		}
		if n == "1" {
			break
		}
	}
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.Database, cfg.Log = url, slog.New(slog.NewTextHandler(t.Output(), nil))
	start(t, cfg)
	select {
	case err := <-open:
		if err != nil {
			t.Error(err)
		}
	default:
		t.Error("it was there before the transaction had ended")
	}
}
