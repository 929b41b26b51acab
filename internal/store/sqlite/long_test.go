package sqlite

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// forever never ends by itself.
const forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"

func runForever(ctx context.Context, s *Store) error {
	return s.Read(ctx, func(r store.Reader) error {
		if err := r.(*reader).use(ctx); err != nil {
			return err
		}
		_, _, err := r.(*reader).c.queryInt(forever)
		return unavailable(err)
	})
}

// TestLongQueries runs queries without end beside short ones: the short ones get
// through, and the long ones are stopped.
func TestLongQueries(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Readers: 1, LongQuery: 200 * time.Millisecond, QueryTimeout: 3 * time.Second})
	c := savePosts(t, s, "posts")
	insert(t, s, post(c, number15(1)))

	first := make(chan error, 1)
	go func() { first <- runForever(t.Context(), s) }()
	eventually(t, "the query without end runs", func() bool { return len(s.pool.slots) == 1 })
	if n := find(t, s, store.Query{Collection: c, Total: true}).Total; n != 1 { // once the first has stepped aside
		t.Errorf("total %d", n)
	}
	err := runForever(t.Context(), s) // one too many
	if pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "busy") {
		t.Errorf("a second one: %v", err)
	}
	if err := <-first; pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "took more than 3s") {
		t.Errorf("the first: %v", err)
	}
	if s.pool.long != 0 || len(s.pool.slots) != 0 || len(s.pool.idle) != 1 {
		t.Errorf("%d long, %d lent, %d idle", s.pool.long, len(s.pool.slots), len(s.pool.idle))
	}
	if n := find(t, s, store.Query{Collection: c, Total: true}).Total; n != 1 {
		t.Errorf("total %d", n)
	}
}

// TestCloseWaitsForLongQueries closes the store below one.
func TestCloseWaitsForLongQueries(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Readers: 1, LongQuery: 20 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- runForever(ctx, s) }()
	eventually(t, "it stepped aside", func() bool {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return s.pool.long == 1
	})
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	eventually(t, "the store is closing", func() bool {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		return s.pool.closed
	})
	select {
	case err := <-closed:
		t.Errorf("closed below a query: %v", err)
	default:
	}
	cancel()
	if err := <-running; err == nil {
		t.Error("the query ended well")
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
