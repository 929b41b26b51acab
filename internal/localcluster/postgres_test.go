package localcluster_test

import (
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

func TestKill(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{})
	ctx := t.Context()
	exec := func(sql string) string {
		t.Helper()
		out, err := pg.Exec(ctx, sql)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	exec("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)")
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := pg.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if got := exec("SELECT * FROM t ORDER BY a"); got != "1|x\n2|" {
		t.Errorf("after a kill: %q", got)
	}
	if err := pg.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if got := exec("SELECT count(*) FROM t"); got != "2" {
		t.Errorf("after a restart: %q", got)
	}
}

func TestDatabase(t *testing.T) {
	pg, url := localclustertest.Database(t)
	t.Log(url, pg.Pid())
}
