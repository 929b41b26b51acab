package postgres

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

const password = "s3cret!word"

// What cannot be opened is refused with one sentence that says what to do, and
// shows no password.
func TestOpenRefuses(t *testing.T) {
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true, Password: password})
	ctx := t.Context()
	sql := func(db string, list ...string) {
		t.Helper()
		for _, text := range list {
			if _, err := pg.ExecIn(ctx, db, text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
	for _, db := range []string{"empty", "foreign", "newer", "poor"} {
		if err := pg.CreateDatabase(ctx, db); err != nil {
			t.Fatal(err)
		}
	}
	sql("postgres", "CREATE ROLE guest LOGIN PASSWORD '"+password+"'", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
	sql("foreign", "CREATE TABLE shop (id int)")
	url := func(user, pass, db string) string {
		return "postgres://" + user + ":" + pass + "@" + pg.Addr() + "/" + db
	}
	open(t, Options{URL: url("postgres", "s3cret%21word", "newer")}).Close()
	sql("newer", "UPDATE _pando_meta SET format = 99")
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := nobody.Addr().String()
	nobody.Close()

	for _, tt := range []struct {
		name, url string
		kind      pando.Kind
		says      []string
	}{
		{"no URL", "mysql://x", pando.KindInvalid, []string{"postgres://user:password@host/database"}},
		{"a bad URL", "postgres://u:" + password + "@h:port/db", pando.KindInvalid, []string{"cannot be read"}},
		{"wrong password", url("postgres", "wrong", "empty"), pando.KindInvalid, []string{"password for the role postgres is wrong"}},
		{"no such database", url("postgres", "s3cret%21word", "nowhere"), pando.KindInvalid, []string{"no database nowhere", "CREATE DATABASE"}},
		{"nobody there", "postgres://u:" + password + "@" + closed + "/db", pando.KindUnavailable, []string{"No PostgreSQL server can be reached", "connection refused", closed}},
		{"no such host", "postgres://u@pando.invalid/db", pando.KindUnavailable, []string{"pando.invalid"}},
		{"another program's", url("postgres", "s3cret%21word", "foreign"), pando.KindInvalid, []string{"tables of another program", "empty database"}},
		{"a newer version's", url("postgres", "s3cret%21word", "newer"), pando.KindInvalid, []string{"newer version of Pando (format 99"}},
		{"no rights", url("guest", "s3cret%21word", "poor"), pando.KindInvalid, []string{"role guest may not create tables", "ALTER DATABASE poor OWNER TO guest"}},
		{"another encoding", url("postgres", "s3cret%21word", "latin"), pando.KindInvalid, []string{"LATIN1", "UTF8"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			s, err := Open(ctx, Options{URL: tt.url, Logger: slog.New(slog.DiscardHandler), WriteWait: 2 * time.Second})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if pando.KindOf(err) != tt.kind {
				t.Errorf("kind %d: %v", pando.KindOf(err), err)
			}
			for _, words := range tt.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
			if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("it shows the password, or has several lines: %q", err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	open(t, Options{URL: url("postgres", "s3cret%21word", "empty")}) // the server itself is fine
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://u:p@h/db":                             "postgres://u:xxxxx@h/db",
		"postgres://u:p@h1:1,h2:2/db":                     "postgres://u:xxxxx@h1:1,h2:2/db",
		"postgres://u:p@ss@h/db":                          "postgres://u:xxxxx@h/db",
		"postgres://u@h/db?password=p&sslmode=require":    "postgres://u@h/db?password=xxxxx&sslmode=require",
		"postgres://u@h1:1,h2:2/db?password=p&sslmode=no": "postgres://u@h1:1,h2:2/db?password=xxxxx&sslmode=no",
		"postgres://u@h/db":                               "postgres://u@h/db",
	} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%s) = %s, want %s", in, got, want)
		}
	}
}

// A host that takes connections and never answers costs a bounded time.
func TestOpenSilentHost(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	start := time.Now()
	_, err = Open(t.Context(), Options{URL: "postgres://u@" + ln.Addr().String() + "/db", Logger: slog.New(slog.DiscardHandler), WriteWait: time.Second})
	if pando.KindOf(err) != pando.KindUnavailable || time.Since(start) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestBusyPool(t *testing.T) {
	s, c := fresh(t, Options{PoolSize: 1, PoolWait: 50 * time.Millisecond, OneShot: true})
	ctx := t.Context()
	busy := func() error {
		return s.Read(ctx, func(r store.Reader) error {
			_, err := r.Record(ctx, c, "x")
			return err
		})
	}
	err := s.Read(ctx, func(r store.Reader) error {
		if _, err := r.Find(ctx, store.Query{Collection: c}); err != nil {
			return err
		}
		done := make(chan error)
		go func() { done <- busy() }()
		if err := <-done; pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "busy") {
			t.Errorf("a second read: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := busy(); pando.KindOf(err) != pando.KindNotFound {
		t.Errorf("afterwards: %v", err)
	}
}
