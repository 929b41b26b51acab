package localcluster_test

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// TestKill: a server that is killed refuses connections, and starts again on
// its port with all that it had committed.
func TestKill(t *testing.T) {
	t.Parallel()
	began := time.Now()
	pg := localclustertest.Postgres(t, localcluster.Options{})
	t.Logf("a server after %v", time.Since(began))
	ctx := t.Context()
	query(t, pg, "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)")
	began = time.Now()
	must(t, pg.Kill())
	t.Logf("killed in %v", time.Since(began))
	if conn, err := net.Dial("tcp", pg.Addr()); err == nil {
		_ = conn.Close()
		t.Error("something listens on the port of a dead server")
	}
	if pid := pg.Pid(); pid != 0 {
		t.Errorf("a dead server has the pid %d", pid)
	}
	must(t, pg.Start(ctx))
	if got := query(t, pg, "SELECT * FROM t ORDER BY a"); got != "1|x\n2|" {
		t.Errorf("after a kill: %q", got)
	}
	must(t, pg.Restart(ctx))
	if got := query(t, pg, "SELECT count(*) FROM t"); got != "2" {
		t.Errorf("after a restart: %q", got)
	}
	must(t, pg.Set(ctx, "work_mem", "5MB"))
	if got := query(t, pg, "SHOW work_mem"); got != "5MB" {
		t.Errorf("work_mem is %s after a reload", got)
	}
	if _, err := pg.Exec(ctx, "SELECT 1/0"); err == nil || !strings.Contains(err.Error(), "division by zero (SQLSTATE 22012)") {
		t.Errorf("an error is %v", err)
	}
}

// TestLines: a connection is kept for the next question, who finds nothing that the one
// before has set, and another is made when the server has ended it.
func TestLines(t *testing.T) {
	t.Parallel()
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	lines := pg.Lines("postgres")
	defer lines.Close()
	ask := func(sql string) string {
		t.Helper()
		text, err := lines.Ask(t.Context(), sql)
		must(t, err)
		return text
	}
	const pid = "SELECT pg_backend_pid()"
	first := ask("SET work_mem = '7MB'; " + pid)
	if second := ask(pid); second != first {
		t.Errorf("%s has answered, and then %s", first, second)
	}
	if got := ask("SHOW work_mem"); got == "7MB" {
		t.Error("what one has set the next one finds")
	}
	if _, err := lines.Ask(t.Context(), "BEGIN; SELECT 1/0"); err == nil {
		t.Error("an error is lost")
	}
	ask("BEGIN") // and not ended
	if got := ask("SELECT 1"); got != "1" {
		t.Errorf("behind a transaction that was left open: %q", got)
	}
	must(t, pg.Kill())
	must(t, pg.Start(t.Context()))
	if again := ask(pid); again == first {
		t.Error("a server that was killed goes on with a session")
	}
}

// TestKillBackend: one session that is killed ends all others, and the server goes on
// with what was committed.
func TestKillBackend(t *testing.T) {
	t.Parallel()
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	ctx, pid := t.Context(), pg.Pid()
	query(t, pg, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
	other := make(chan error, 1)
	go func() { _, err := pg.Exec(ctx, "SELECT pg_sleep(60)"); other <- err }()
	const sessions = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(60)'"
	for query(t, pg, sessions) != "1" {
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	}
	must(t, pg.KillBackend(ctx))
	if err := <-other; err == nil {
		t.Error("the session was not killed")
	}
	if got := query(t, pg, "SELECT count(*) FROM t"); got != "1" || pg.Pid() != pid {
		t.Errorf("after it: %s, by the process %d, not %d", got, pg.Pid(), pid)
	}
	must(t, pg.KillBackend(ctx)) // where there is none
}

// TestFreeze: a frozen server takes connections and says nothing; thawed, it
// answers what it was asked.
func TestFreeze(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	must(t, pg.Freeze())
	conn, err := net.Dial("tcp", pg.Addr())
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f")) // SSLRequest
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	var answer [1]byte
	if n, _ := conn.Read(answer[:]); n > 0 {
		t.Errorf("a frozen server answered %q", answer)
	}
	must(t, pg.Thaw())
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, err := conn.Read(answer[:]); err != nil || answer[0] != 'N' {
		t.Errorf("a thawed server answered %q, %v", answer, err)
	}
	must(t, pg.Freeze())
	must(t, pg.Kill()) // what is frozen dies as well
}

// TestApart: two servers are two systems, though both are copies of one initdb.
func TestApart(t *testing.T) {
	pg, url := localclustertest.Database(t)
	other := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	const q = "SELECT system_identifier FROM pg_control_system()"
	if a, b := query(t, pg, q), query(t, other, q); a == b {
		t.Errorf("both servers have the system identifier %s", a)
	}
	pg2, url2 := localclustertest.Database(t)
	if pg2 != pg || url == url2 {
		t.Errorf("databases %s and %s: want two of one server", url, url2)
	}
}

// TestPassword: with one, nobody comes by TCP without.
func TestPassword(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true, Password: "it's se:cret/"})
	query(t, pg, "CREATE ROLE someone LOGIN PASSWORD 'x'")
	for url, ok := range map[string]bool{
		pg.URL("postgres", "postgres"):                                            true,
		pg.URL("postgres", "someone"):                                             false,
		strings.Replace(pg.URL("postgres", "someone"), "someone", "someone:x", 1): true,
		strings.Replace(pg.URL("postgres", "someone"), "someone", "someone:y", 1): false,
	} {
		if out, err := exec.Command("psql", "-wXAtc", "SELECT 1", url).CombinedOutput(); (err == nil) != ok {
			t.Errorf("%s: %v %s", url, err, out)
		}
	}
}

// TestPgBouncer: in transaction mode sessions share connections to the server.
func TestPgBouncer(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true})
	b := localclustertest.PgBouncer(t, pg.Addr(), localcluster.PgBouncerOptions{PoolSize: 1})
	ask := func() string {
		t.Helper()
		out, err := exec.Command("psql", "-wXAtc", "SELECT pg_backend_pid()", b.URL("postgres", "postgres")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if one, two := ask(), ask(); one != two {
		t.Errorf("two sessions had the backends %s and %s", one, two)
	}
	must(t, b.Kill())
	must(t, b.Start(t.Context()))
	ask()
}
