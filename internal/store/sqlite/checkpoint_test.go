package sqlite

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

func logSize(t *testing.T, s *Store) int64 {
	t.Helper()
	st, err := os.Stat(s.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// The log must not grow for ever because some reader always uses it.
func TestLogStaysShort(t *testing.T) {
	const pages = 100
	s := open(t, Options{Dir: t.TempDir(), CheckpointPages: pages})
	c := savePosts(t, s, "posts")
	for range 100 {
		insert(t, s, post(c, pando.NewID()))
	}
	var stopped atomic.Bool
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for !stopped.Load() {
				find(t, s, store.Query{Collection: c, Limit: 100})
			}
		})
	}
	for range 100 { // some hundred pages each
		_, err := s.Write(t.Context(), func(tx store.Tx) error {
			for range 100 {
				if err := tx.Insert(t.Context(), post(c, pando.NewID())); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stopped.Store(true)
	wg.Wait()
	// Without anybody who takes it back it would have some 25,000 pages. How long
	// it gets hangs on how soon six readers are between two reads at once.
	if got, most := logSize(t, s), int64(4*longLog*pages*4096); got > most {
		t.Errorf("the log has %d bytes, more than %d", got, most)
	}
}

// A snapshot that stays open keeps the log, and nobody else waits for it.
func TestLogOfAnOpenSnapshot(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), CheckpointPages: 20})
	c := savePosts(t, s, "posts")
	err := s.Read(t.Context(), func(r store.Reader) error {
		before, err := r.Find(t.Context(), store.Query{Collection: c})
		if err != nil {
			return err
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 100 {
				insert(t, s, post(c, fmt.Sprint(i)))
			}
		}()
		<-done
		after, err := r.Find(t.Context(), store.Query{Collection: c})
		if len(before.Records) != len(after.Records) {
			t.Errorf("the snapshot went from %d records to %d", len(before.Records), len(after.Records))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
