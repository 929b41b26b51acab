package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/target"
)

// TestUnusableDatabase starts a server on databases that it cannot use. It says in
// one line what is wrong and what to do, ends with 1, and does not knock again and
// again.
func TestUnusableDatabase(t *testing.T) {
	t.Parallel() // mostly it waits
	const secret = "hunter-2-hunter"
	pg := localclustertest.Postgres(t, localcluster.Options{Password: secret, NoSync: true})
	sql := func(db, text string) {
		t.Helper()
		if _, err := pg.ExecIn(t.Context(), db, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, db := range []string{"ours", "foreign", "newer", "closed"} {
		sql("postgres", `CREATE DATABASE "`+db+`" TEMPLATE template0`)
	}
	sql("foreign", "CREATE TABLE customers (id int PRIMARY KEY)")
	sql("postgres", "CREATE ROLE guest LOGIN PASSWORD '"+secret+"'")
	first := startOn(t, pg.URL("newer", "postgres"))
	first.Stop()
	sql("newer", "UPDATE _pando_meta SET format = 9999")

	user := func(name, password string) string { return "postgres://" + name + ":" + password + "@" }
	for _, c := range []struct {
		name, user, db string
		want           []string
	}{
		{"wrong password", user("postgres", "wrong-"+secret), "ours", []string{"password", "role postgres", "Check"}},
		{"wrong database", user("postgres", secret), "nowhere", []string{"no database nowhere", "CREATE DATABASE"}},
		{"a database of another program", user("postgres", secret), "foreign", []string{"tables of another program", "empty database"}},
		{"a newer version", user("postgres", secret), "newer", []string{"newer"}},
		{"a role without rights", user("guest", secret), "closed", []string{"guest", "GRANT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := localcluster.NewRelay(pg.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			refusedBy(t, c.user+r.Addr()+"/"+c.db, secret, c.want...)
			if n := r.Accepted(); n > 12 {
				t.Errorf("%d connections for one start", n)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		refusedBy(t, user("postgres", secret)+"127.0.0.1:1,127.0.0.1:2/ours", secret, "127.0.0.1:1", "127.0.0.1:2", "Check the hosts")
	})
	t.Run("nobody answers", func(t *testing.T) {
		r, err := localcluster.NewRelay(pg.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		r.Silence()
		refusedBy(t, user("postgres", secret)+r.Addr()+"/ours", secret, r.Addr(), "Check the hosts")
		if n := r.Accepted(); n > 12 {
			t.Errorf("%d connections for one start", n)
		}
	})
}

// refusedBy starts a server that must not come up.
func refusedBy(t *testing.T, url, secret string, want ...string) {
	t.Helper()
	began := time.Now()
	code, out := command(t, serveArgs(t.TempDir(), "--database", url, "--log-level", "error")...)
	t.Logf("after %v: %s", time.Since(began).Round(time.Millisecond), strings.TrimSpace(out))
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(strings.TrimSpace(out), "\n"); n > 0 {
		t.Errorf("%d lines", n+1)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("%q is not said", w)
		}
	}
	if strings.Contains(out, secret) {
		t.Error("the password is said")
	}
}

func startOn(t *testing.T, url string, flags ...string) *target.Server {
	t.Helper()
	s, err := target.StartPandoIn(t.Context(), t.TempDir(), target.Surroundings{Database: url}, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// TestDatabasePasswordIsNowhere: whatever goes wrong with the database, its
// password is in no log, status or metric.
func TestDatabasePasswordIsNowhere(t *testing.T) {
	t.Parallel() // mostly it waits
	const secret = "hunter:2@hunter/2"
	pg := localclustertest.Postgres(t, localcluster.Options{Password: secret, NoSync: true})
	if err := pg.CreateDatabase(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	s := startOn(t, pg.URL("app", "postgres"), "--log-level", "debug", "--write-wait", "500ms")
	said := ""
	look := func() {
		for _, path := range []string{"/readyz?verbose", "/metrics"} {
			for _, accept := range []string{"", "application/json"} {
				req, err := http.NewRequestWithContext(t.Context(), "GET", s.Admin+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept", accept)
				said += str200(t, req)
			}
		}
	}
	look()
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		res, err := http.Post(s.URL+"/api/collections/_superusers/auth-with-password", "application/json",
			strings.NewReader(`{"identity":"`+s.Email+`","password":"`+s.Password+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("without a database: %s, Retry-After %q", res.Status, res.Header.Get("Retry-After"))
		}
	}
	look()
	if err := pg.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Exec(t.Context(), "ALTER ROLE postgres PASSWORD 'another'"); err != nil {
		t.Fatal(err)
	}
	if err := pg.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	look()
	said += s.Output()
	for _, form := range []string{secret, "hunter", "%3A2", "hunter%3A2"} {
		if strings.Contains(said, form) {
			at := strings.Index(said, form)
			t.Errorf("%q is said: …%s…", form, said[max(0, at-100):min(len(said), at+100)])
		}
	}
}

func str200(t *testing.T, req *http.Request) string {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestOneServerADatabase: a second server is refused and told who is there; after
// a crash the same directory has its place again at once.
func TestOneServerADatabase(t *testing.T) {
	_, url := localclustertest.Database(t)
	dir := filepath.Join(t.TempDir(), "data")
	ctx := context.WithoutCancel(t.Context())
	first, err := target.StartPandoIn(ctx, dir, target.Surroundings{Database: url})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Stop()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	code, out := command(t, serveArgs(t.TempDir(), "--database", url)...)
	for _, want := range []string{"Another Pando server uses this database", host, fmt.Sprint("process ", first.PID())} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, and %q is not said in %q", code, want, out)
		}
	}
	first.Kill()
	began := time.Now()
	again, err := target.StartPandoIn(ctx, dir, target.Surroundings{Database: url})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Stop()
	if took := time.Since(began); took > 5*time.Second { // the lease of another one runs out after six
		t.Errorf("after a crash the place was taken back after %v", took)
	}
}
