package wal_test

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store/postgres"
)

func uitoa(n uint64) string { return strconv.FormatUint(n, 10) }

// openOwn is open on a server of the test's own.
func openOwn(t *testing.T, settings map[string]string) *ground {
	t.Helper()
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true, Settings: settings})
	if err := pg.CreateDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	return open(t, postgres.Options{URL: pg.URL("app", "postgres")})
}

// A transaction that changes more than can be named is told of by table, and nobody
// keeps all of it.
func TestLarge(t *testing.T) {
	const rows = 300_000
	g := open(t, postgres.Options{})
	g.exec("INSERT INTO things (id, title) SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, " + strconv.Itoa(rows) + ") i")
	check := func(what string) {
		t.Helper()
		started := time.Now()
		list := g.entries()
		want := []position.Tag{position.TableTag("pbc_things"), position.BulkTag("pbc_things"), position.AllTag}
		if len(list) != 1 || !sameTags(list[0].Tags, want) || !list[0].Unlisted || list[0].All || len(list[0].Rows) > 0 {
			t.Fatalf("%s: %d entries", what, len(list))
		}
		t.Logf("%s: read %s after it was committed", what, time.Since(started).Round(time.Millisecond))
	}
	check("COPY of 300,000")
	most := watchHeap(t)
	g.exec("UPDATE things SET n = n + 1")
	check("UPDATE of 300,000")
	if got := most(); got > 64<<20 {
		t.Errorf("the heap grew by %d MB", got>>20)
	}
	// Beside a large one that runs, others go on.
	other := g.session()
	run(t, other, "BEGIN; UPDATE things SET n = n + 1")
	g.exec("INSERT INTO things (id) VALUES ('beside')")
	if list := g.entries(); len(list) != 1 || list[0].Rows[0].ID != "beside" {
		t.Errorf("beside: %+v", list)
	}
	run(t, other, "ROLLBACK")
	if list := g.entries(); len(list) != 0 {
		t.Errorf("rolled back: %d entries", len(list))
	}
}

// watchHeap tells how much the heap has grown at most.
func watchHeap(t *testing.T) func() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, uint64(0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}()
	return func() uint64 {
		cancel()
		<-done
		return max(most, before) - before
	}
}

// What the server streams while it runs is told when it is committed, without what
// was rolled back to a savepoint, in the order of the commits.
func TestStreamed(t *testing.T) {
	g := openOwn(t, map[string]string{"max_wal_size": "1GB"})
	a, b := g.session(), g.session()
	// Values of two megabytes fill what the server keeps before it streams.
	put := func(id string) string {
		return "INSERT INTO things (id, title) VALUES ('" + id + "', (SELECT string_agg(md5(i::text || '" + id + "'), '') FROM generate_series(1, 60000) i));"
	}
	many := func(prefix string) (sql string) {
		for i := range 8 {
			sql += put(prefix + strconv.Itoa(i))
		}
		return sql
	}
	run(t, a, "BEGIN;"+many("a")+"SAVEPOINT one;"+many("lost")+"ROLLBACK TO one; SAVEPOINT two;"+put("a8")+"RELEASE two")
	run(t, b, "BEGIN;"+many("b"))
	run(t, a, "DELETE FROM things WHERE id = 'a0'")
	run(t, b, "COMMIT")
	run(t, a, "COMMIT")
	list := g.entries()
	if len(list) != 2 {
		t.Fatalf("%d entries", len(list))
	}
	ids := func(e changes.Entry, prefix string) (n int) {
		for _, tag := range e.Tags {
			for i := range 9 {
				if tag == record(prefix+strconv.Itoa(i)) {
					n++
				}
			}
		}
		return n
	}
	if n, m := ids(list[0], "b"), ids(list[0], "a"); n != 8 || m != 0 {
		t.Errorf("the first has %d and %d tags", n, m)
	}
	if n, m := ids(list[1], "a"), ids(list[1], "lost"); n != 10 || m != 0 {
		t.Errorf("the second has %d tags, and %d of what was rolled back", n, m)
	}
	if !list[0].Unlisted || len(list[0].Rows) > 0 {
		t.Error("8 MB of values are kept")
	}
	if status := g.exec("SELECT stream_txns > 0 FROM pg_stat_replication_slots ORDER BY stream_txns DESC LIMIT 1"); status == "f" {
		t.Error("the server did not stream: the test is about something else")
	}
	if slices.ContainsFunc(list, func(e changes.Entry) bool { return strings.Contains(text(e), "lost") }) {
		t.Error("a row that was rolled back")
	}
}
