package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// What goes wrong in the machine is an error of a kind that says so, and what
// another try may do is tried.
func TestFailures(t *testing.T) {
	// Deadlocks must not hang on how often PostgreSQL looks for them.
	pg := localclustertest.Postgres(t, localcluster.Options{NoSync: true, Settings: map[string]string{"deadlock_timeout": "10min"}})
	ctx := t.Context()
	if err := pg.CreateDatabase(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	url := pg.URL("app", "postgres")
	s := open(t, Options{URL: url})
	c := create(t, s, things())
	write(t, s, func(tx store.Tx) error {
		return errors.Join(tx.Insert(ctx, thing(c, "a", "", 0)), tx.Insert(ctx, thing(c, "b", "", 0)))
	})
	endless := things()
	endless.ID, endless.Name, endless.Type = "pbc_endless", "endless", pando.TypeView
	endless.ViewQuery = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT 'x' AS id, '' AS title, n FROM r WHERE n < 0"
	slow := create(t, s, endless)

	t.Run("a query that takes too long", func(t *testing.T) {
		s := open(t, Options{URL: url, OneShot: true, QueryTimeout: 200 * time.Millisecond})
		for _, ctx := range []context.Context{ctx, store.One(ctx)} {
			err := s.Read(ctx, func(r store.Reader) error { _, err := r.Find(ctx, store.Query{Collection: slow}); return err })
			if pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "too long") {
				t.Errorf("error is %v", err)
			}
		}
	})
	t.Run("deadlocks", func(t *testing.T) {
		var wg sync.WaitGroup
		for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
			wg.Go(func() {
				for range 10 {
					_, err := s.Write(ctx, func(tx store.Tx) error {
						for _, id := range order {
							if err := increment(ctx, tx, c, id); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if a, b := get(t, s, c, "a").Get("n"), get(t, s, c, "b").Get("n"); a != 20.0 || b != 20.0 {
			t.Errorf("20 increments made %v and %v", a, b)
		}
	})
	t.Run("a transaction that stands still", func(t *testing.T) {
		frozen := open(t, Options{URL: url, OneShot: true, idle: 300 * time.Millisecond})
		add := func(s *Store, then func()) error {
			c := s.Catalog().Collection("things")
			_, err := s.Write(ctx, func(tx store.Tx) error {
				if err := increment(ctx, tx, c, "b"); err != nil {
					return err
				}
				_, err := tx.Record(ctx, c, "b") // which sends what was put off
				then()
				return err
			})
			return err
		}
		before := get(t, s, c, "b").Get("n").(float64)
		locked, other := make(chan struct{}), make(chan error, 1)
		go func() {
			<-locked
			other <- add(s, func() {})
		}()
		err := add(frozen, sync.OnceFunc(func() {
			close(locked)
			if err := <-other; err != nil {
				t.Errorf("who waits for it: %v", err)
			}
		}))
		if n := get(t, s, c, "b").Get("n"); err != nil || n != before+2 {
			t.Errorf("two increments made %v of %v: %v", n, before, err)
		}
	})
	t.Run("all connections are dead", func(t *testing.T) {
		var all, done sync.WaitGroup // hold one connection each, more than there are tries
		all.Add(2 * readTries)
		for range 2 * readTries {
			arrived := sync.OnceFunc(func() { all.Done(); all.Wait() })
			done.Go(func() {
				err := s.Read(ctx, func(r store.Reader) error {
					_, err := r.Record(ctx, c, "a")
					arrived()
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if _, err := pg.ExecIn(ctx, "app", "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'pando'"); err != nil {
			t.Fatal(err)
		}
		get(t, s, c, "a")
	})
	t.Run("two that wait for each other", func(t *testing.T) {
		s := open(t, Options{URL: url, OneShot: true}) // with all the patience there is
		c := s.Catalog().Collection("things")
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		var both, done sync.WaitGroup // have one row each
		both.Add(2)
		for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
			met := sync.OnceFunc(func() { both.Done(); both.Wait() })
			done.Go(func() {
				_, err := s.Write(ctx, func(tx store.Tx) error {
					for _, id := range order {
						old, err := tx.Record(ctx, c, id) // which sends what was put off
						if err != nil {
							return err
						}
						if id == order[1] {
							met()
						}
						next := old.Clone()
						next.Set("title", old.Get("title").(string)+"+")
						if err := tx.Update(ctx, old, next); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
		if a, b := get(t, s, c, "a").Get("title"), get(t, s, c, "b").Get("title"); a != "++" || b != "++" {
			t.Errorf("two changes made %q and %q", a, b)
		}
	})
	t.Run("a change of the schema that does not get its lock", func(t *testing.T) {
		s := open(t, Options{URL: url, OneShot: true, WriteWait: 500 * time.Millisecond})
		other, err := pgconn.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close(ctx)
		for _, table := range []string{"_pando_meta", "things"} { // everybody writes; one writes what asks no gate
			lock := "BEGIN; LOCK TABLE " + table + " IN ROW EXCLUSIVE MODE"
			if _, err := other.Exec(ctx, lock).ReadAll(); err != nil {
				t.Fatal(err)
			}
			change := func() error {
				old := s.Catalog().Collection("things")
				_, err := s.Write(ctx, func(tx store.Tx) error { return tx.SaveCollection(ctx, old, old.Clone()) })
				return err
			}
			if err := change(); pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "locked") {
				t.Errorf("%s is locked: %v", table, err)
			}
			if _, err := other.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
				t.Fatal(err)
			}
			if err := change(); err != nil {
				t.Errorf("%s is free again: %v", table, err)
			}
		}
	})
	t.Run("a server that only reads", func(t *testing.T) {
		if _, err := pg.Exec(ctx, "ALTER DATABASE app SET default_transaction_read_only = on"); err != nil {
			t.Fatal(err)
		}
		other := open(t, Options{URL: url, OneShot: true})
		_, err := other.Write(ctx, func(tx store.Tx) error {
			return tx.Insert(ctx, thing(other.Catalog().Collection("things"), "ro", "", 0))
		})
		if pando.KindOf(err) != pando.KindUnavailable {
			t.Errorf("error is %v", err)
		}
		if _, err := pg.Exec(ctx, "ALTER DATABASE app RESET default_transaction_read_only"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a restart of the server", func(t *testing.T) {
		if err := pg.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		write(t, s, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "restarted", "", 0)) })
		if get(t, s, c, "restarted") == nil {
			t.Error("it is not there")
		}
	})
	t.Run("a server that is killed", func(t *testing.T) {
		if err := pg.Kill(); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		_, err := s.Write(short, func(tx store.Tx) error { return tx.Insert(short, thing(c, "away", "", 0)) })
		if err == nil {
			t.Error("something was written")
		}
		done := make(chan error)
		go func() {
			_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "waited", "", 0)) })
			done <- err
		}()
		if err := pg.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("a write that waited for the server: %v", err)
		}
		if get(t, s, c, "waited") == nil || get(t, s, c, "away") != nil {
			t.Error("the records are not what was answered")
		}
	})
	t.Run("a character that cannot be stored", func(t *testing.T) {
		_, err := s.Write(ctx, func(tx store.Tx) error { return tx.Insert(ctx, thing(c, "nul", "a\x00b", 0)) })
		if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "NUL") {
			t.Errorf("error is %v", err)
		}
	})
}

// increment adds 1 to a record's number.
func increment(ctx context.Context, tx store.Tx, c *pando.Collection, id string) error {
	old, err := tx.Record(ctx, c, id)
	if err != nil {
		return err
	}
	next := old.Clone()
	next.Set("n", old.Get("n").(float64)+1)
	return tx.Update(ctx, old, next)
}
