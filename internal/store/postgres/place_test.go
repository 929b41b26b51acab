package postgres

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/registry"
	"github.com/pandobase/pando/internal/store"
)

// sharing is of a server that has a secret, and perhaps one of before.
func sharing(files string, secrets ...string) *Shared {
	return &Shared{
		Files: files,
		Proof: func(database string) string { return database + secrets[0] },
		Proves: func(proof, database string) bool {
			for _, s := range secrets {
				if proof == database+s {
					return true
				}
			}
			return false
		},
	}
}

// joined is a store whose server is a member, and renews its row until stop.
func joined(t *testing.T, url, id string, shared *Shared) (s *Store, stop func()) {
	t.Helper()
	s = open(t, Options{URL: url, Identity: id, Shared: shared})
	m := registry.Member{ID: id, Boot: "boot of " + id, Address: id + ":7000"}
	if err := s.Registry().Join(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			_, _ = s.Registry().Beat(t.Context(), m)
		}
	})
	stop = sync.OnceFunc(func() { close(done); wg.Wait() })
	t.Cleanup(stop)
	return s, stop
}

func refused(t *testing.T, opts Options, words ...string) {
	t.Helper()
	opts.Logger = slog.New(slog.DiscardHandler)
	s, err := Open(t.Context(), opts)
	if err == nil {
		s.Close()
		t.Fatal("it was let in")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("it was refused with %q, want %q", err, w)
		}
	}
}

func insert(t *testing.T, s *Store, id string) error {
	t.Helper()
	_, err := s.Write(t.Context(), func(tx store.Tx) error {
		return tx.Insert(t.Context(), thing(tx.Catalog().Collection("things"), id, "", 0))
	})
	return err
}

// Where there are members, nobody is the only one; where they are gone, one may be,
// and what is left of them writes no more.
func TestOnlyOneAmongMembers(t *testing.T) {
	t.Parallel()
	_, url := localclustertest.Database(t)
	shared := sharing("here", "secret")
	a, stopA := joined(t, url, "a", shared)
	create(t, a, things())
	_, stopB := joined(t, url, "b", shared)
	refused(t, Options{URL: url, Identity: "lonely"}, "used by a cluster", "a:7000", "PANDO_CLUSTER_SECRET")
	stopA() // it is frozen
	stopB()
	lonely := open(t, Options{URL: url, Identity: "lonely"})
	if err := insert(t, lonely, "1"); err != nil {
		t.Error(err)
	}
	if err := insert(t, a, "2"); pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "taken over") {
		t.Errorf("a member that was away writes beside the only one: %v", err)
	}
	m := registry.Member{ID: "a", Boot: "boot of a"}
	if ok, err := a.Registry().Beat(t.Context(), m); ok || err != nil {
		t.Errorf("it still has a row: %v, %v", ok, err)
	}
	if err := a.Registry().Join(t.Context(), m); err == nil || !strings.Contains(err.Error(), "as the only one") {
		t.Errorf("it joined beside the only one: %v", err)
	}
	if err := lonely.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Registry().Join(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := insert(t, a, "3"); err != nil {
		t.Errorf("a member that has joined again: %v", err)
	}
}

// Where there is an only one, there are no members; when it is gone without a word,
// several may come at once, and it writes no more.
func TestMembersAfterOnlyOne(t *testing.T) {
	t.Parallel()
	_, url := localclustertest.Database(t)
	shared := sharing("here", "secret")
	lonely := open(t, Options{URL: url, Identity: "lonely"})
	create(t, lonely, things())
	refused(t, Options{URL: url, Identity: "a", Shared: shared}, "Another Pando server uses this database", "PANDO_CLUSTER_SECRET")
	l := lonely.lease // it is frozen
	close(l.done)
	l.wait.Wait()
	l.done = make(chan struct{})

	var wg sync.WaitGroup
	for _, id := range []string{"a", "b"} {
		wg.Go(func() {
			s, err := Open(t.Context(), Options{URL: url, Identity: id, Shared: shared, Logger: lonely.log})
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { s.Close() })
			if err := s.Registry().Join(t.Context(), registry.Member{ID: id, Boot: "1"}); err != nil {
				t.Error(err)
			}
			if err := insert(t, s, id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	wg.Wait()
	if err := insert(t, lonely, "late"); pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "taken over") {
		t.Errorf("the only one of before writes: %v", err)
	}
}

// Members have the secret and the files in common; who has another one waits until
// they are gone.
func TestSharedByMembers(t *testing.T) {
	t.Parallel()
	_, url := localclustertest.Database(t)
	_, stop := joined(t, url, "a", sharing("here", "secret"))
	refused(t, Options{URL: url, Identity: "b", Shared: sharing("here", "another secret")}, "have another PANDO_CLUSTER_SECRET", "a:7000")
	refused(t, Options{URL: url, Identity: "b", Shared: sharing("elsewhere", "secret")}, "keep their files elsewhere", "a:7000")
	// One that has the new secret and the old is let in, and so is one with only the old.
	_, stopB := joined(t, url, "b", sharing("here", "new secret", "secret"))
	_, stopC := joined(t, url, "c", sharing("here", "secret", "new secret"))
	for _, s := range []func(){stop, stopB, stopC} {
		s()
	}
	open(t, Options{URL: url, Identity: "d", Shared: sharing("elsewhere", "another secret")}) // they are dead
}

// A copy of a data directory has the identity of the server that it was made of: it is
// refused while that one lives, and takes its place when it is dead.
func TestNoServerTwice(t *testing.T) {
	t.Parallel()
	_, url := localclustertest.Database(t)
	shared := sharing("here", "secret")
	_, stop := joined(t, url, "a", shared)
	refused(t, Options{URL: url, Identity: "a", Shared: shared}, "in the cluster already", "a:7000", "server-id")
	stop()
	open(t, Options{URL: url, Identity: "a", Shared: shared})
}
