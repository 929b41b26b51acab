package postgres_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/postgres"
	"github.com/pandobase/pando/internal/store/storetest"
)

// streamed is a store that hears of its own commits by the log alone, as a server
// does that is a cluster of one.
type streamed struct {
	*postgres.Store
	url  string
	stop func()

	mu    sync.Mutex
	ready bool // what is told before is that nothing is known yet
	told  position.N
	news  chan struct{}
}

// Write waits until followers were told, who elsewhere are told a moment later.
func (s *streamed) Write(ctx context.Context, fn func(store.Tx) error) (position.N, error) {
	n, err := s.Store.Write(ctx, fn)
	if err != nil {
		return n, err
	}
	bound := time.NewTimer(500 * time.Millisecond) // there may be nothing to tell
	defer bound.Stop()
	for {
		s.mu.Lock()
		told, news := s.told, s.news
		s.mu.Unlock()
		if told >= n {
			return n, nil
		}
		select {
		case <-news:
		case <-bound.C:
			return n, nil
		}
	}
}

func (s *streamed) tell(sink changes.Sink, b changes.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sink != nil && s.ready {
		sink.Publish(b)
	}
	s.told = b.Position
	close(s.news)
	s.news = make(chan struct{})
}

// Close leaves the cluster first.
func (s *streamed) Close() error {
	s.stop()
	return s.Store.Close()
}

// TestContractStreamed holds such stores to the contract.
func TestContractStreamed(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Open: func(t *testing.T, index *position.Index, sink changes.Sink) store.Store {
			_, url := localclustertest.Database(t)
			return openStreamed(t, url, index, sink)
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return openStreamed(t, s.(*streamed).url, position.NewIndex(0), nil)
		},
		Restore: func(t *testing.T, backup []byte) store.Store {
			_, url := localclustertest.Database(t)
			if err := postgres.Restore(t.Context(), postgres.Options{URL: url}, bytes.NewReader(backup)); err != nil {
				t.Fatal(err)
			}
			return openStreamed(t, url, position.NewIndex(0), nil)
		},
		SQL: map[string]string{
			"SELECT cast(id AS text) id FROM notes": "SELECT id || '' AS id FROM notes",
		},
	})
}

// openStreamed opens one, and tells index and sink of what it hears.
func openStreamed(t *testing.T, url string, index *position.Index, sink changes.Sink, change ...func(*postgres.Options)) *streamed {
	t.Helper()
	clock := position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1<<16), 2*time.Second)
	o := postgres.Options{URL: url, Clock: clock, Identity: "one", Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	s, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if why := s.Deaf(); why != "" {
		t.Fatal(why)
	}
	f := &streamed{Store: s, url: url, news: make(chan struct{})}
	type told struct {
		by position.Run
		changes.Entry
	}
	queue := make(chan told, 10_000)
	node := cluster.New(cluster.Config{
		Clock: clock, Registry: s.Registry(), Database: s.Log(), Self: cluster.Member{ID: "one", Boot: "1"}, Slots: 1 << 16,
		Apply: func(ctx context.Context, entries []changes.Entry) error {
			for _, e := range entries {
				if e.Catalog {
					if err := s.Bring(ctx, e.Version); err != nil {
						return err
					}
				}
				if index.Bump(e.N, e.Tags); e.All {
					index.BumpAll(e.N)
				}
				index.Publish(e.N)
			}
			return nil
		},
		Deliver: func(by position.Run, e changes.Entry) { queue <- told{by, e} },
	})
	running, stop := context.WithCancel(context.Background())
	ended, followed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		node.Run(running)
	}()
	go func() {
		defer close(followed)
		for e := range queue {
			if e.All && !e.Catalog && len(e.Rows) == 0 {
				continue // the schema was looked after: it says no more than "look again"
			}
			f.tell(sink, s.Batch(context.Background(), e.by, e.Entry, func() bool { return true }))
		}
	}()
	f.stop = sync.OnceFunc(func() {
		stop()
		<-ended
		close(queue)
		<-followed
	})
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	wait, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !clock.Index().Leased() {
		if !clock.AwaitChange(wait) {
			t.Fatal(node.Status().Problem)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready = true
	return f
}

// unheard opens a store that nobody tells of any commit.
func unheard(t *testing.T) (*postgres.Store, *position.Clock) {
	t.Helper()
	_, url := localclustertest.Database(t)
	clock := position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1<<10), time.Second)
	s, err := postgres.Open(t.Context(), postgres.Options{URL: url, Clock: clock, Identity: "one", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, clock
}

// A commit that a failover took back is not waited for, however it was heard of.
func TestBringOfWhatIsLost(t *testing.T) {
	s, _ := unheard(t)
	if err := s.Bring(t.Context(), s.Catalog().Version); err != nil {
		t.Errorf("what there is: %v", err)
	}
	if err := s.Bring(t.Context(), s.Catalog().Version+1); err == nil || !strings.Contains(err.Error(), "not in the database any more") {
		t.Errorf("of an epoch before that of the database: %v", err)
	}
}

// A server that hears from others of commits on a new timeline may reach no host but the
// primary that was replaced. That is not asked what a position of the new one is worth, and
// what was lost of the old one is told, though nobody says where that ended.
func TestPositionsOfATimelineUnheardOf(t *testing.T) {
	s, clock := unheard(t)
	far := position.N(1 << 40)
	for _, tt := range []struct {
		line  uint32 // of the stream; that of the host is 1
		token position.Token
		want  position.Verdict
		void  bool
	}{
		{1, position.Token{Timeline: 1, N: far}, position.Future, false},
		{2, position.Token{Timeline: 2, N: far}, position.Holds, false},
		{2, position.Token{Timeline: 1, N: 1}, position.Void, true},
	} {
		x := position.NewStreamIndex(position.Epoch{Timeline: tt.line}, 100, 1<<10)
		clock.Replace(x)
		clock.Grant(x, position.BootTime()+int64(time.Minute))
		if got := s.Judge(t.Context(), tt.token); got != tt.want {
			t.Errorf("%v, where the stream is of timeline %d: %d, not %d", tt.token, tt.line, got, tt.want)
		}
		if got := s.Void(t.Context(), tt.token); got != tt.void {
			t.Errorf("%v, where the stream is of timeline %d: void %v", tt.token, tt.line, got)
		}
	}
}

// Whoever joins, or hears of a change of the schema, does not wait for the next one: it
// goes by what there is, and writes behind it.
func TestJoiningBehindAChangeOfTheSchema(t *testing.T) {
	_, url := localclustertest.Database(t)
	openStreamed(t, url, position.NewIndex(0), nil).Close()
	other, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	exec := func(sql string) {
		t.Helper()
		if _, err := other.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	exec("BEGIN; LOCK TABLE _pando_meta IN EXCLUSIVE MODE; SELECT nextval('_pando_gate')")
	s := openStreamed(t, url, position.NewIndex(0), nil, func(o *postgres.Options) { // which fails if it has no lease soon
		o.Shared = &postgres.Shared{Proof: func(string) string { return "" }, Proves: func(string, string) bool { return true }}
	})
	if err := s.Read(t.Context(), func(r store.Reader) error {
		_, err := r.Param(t.Context(), "x")
		return err
	}); err != nil {
		t.Errorf("it cannot be read: %v", err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := s.Write(t.Context(), func(tx store.Tx) error { return tx.SetParam(t.Context(), "x", []byte("1")) })
		written <- err
	}()
	select {
	case err := <-written:
		t.Errorf("it writes meanwhile: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	exec("COMMIT")
	if err := <-written; err != nil {
		t.Errorf("it does not write when that is over: %v", err)
	}
}
