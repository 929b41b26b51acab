package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Store is a store.Store on a PostgreSQL database.
type Store struct {
	opts  Options
	log   *slog.Logger
	index *position.Index // of the commits made here; unused where there is a stream
	clock *position.Clock // nil: no stream tells of commits
	deaf  string          // why it does not; "" if it does, or was not asked to
	alone bool            // nobody else writes; false in a cluster
	hosts []address
	nodes *nodes
	lease *lease // nil: none is held

	now      atomic.Pointer[current]
	term     atomic.Uint64 // of _pando_meta, under which this server may write
	version  atomic.Uint64 // the highest catalog version ever given out
	coming   atomic.Int32  // COMMITs under way that change the catalog
	renewal  renewal
	crowded  atomic.Int64 // until when no write is alone for a turn, in ns: see turnPause
	catalogs store.Versions
	plans    store.Plans[*plan]
	commits  commits
	// positions are those that clients were given.
	positions  positions
	viewsRead  viewsRead
	publishing publishing
	stats      statistics

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // calls of Read, Write and Backup, and looks at views
	unknown sync.WaitGroup // transactions that nobody waits for any more

	watching sync.WaitGroup
	ended    chan struct{} // closed when Close begins
}

var _ store.Store = (*Store)(nil)

// Open connects to the database at opts.URL and lays it out if it is empty. A
// database of a newer version of Pando, or one of another program, is refused
// with a KindInvalid error and not touched; one that cannot be reached with a
// KindUnavailable one. No message shows a password.
func Open(ctx context.Context, opts Options) (*Store, error) {
	opts.complete()
	s := &Store{opts: opts, log: opts.Logger, index: opts.Index, clock: opts.Clock, ended: make(chan struct{}), renewal: renewal{turn: make(chan struct{}, 1)}, plans: store.Plans[*plan]{Make: newPlan}}
	s.commits = commits{index: opts.Index, sinks: opts.Sinks, clock: opts.Clock, wait: s.opts.CommitWait, onHeld: s.opts.Held}
	var err error
	if s.hosts, err = parseURL(opts.URL, &s.opts); err != nil {
		return nil, err
	}
	if s.nodes, err = s.openNodes(ctx); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.nodes.close()
		return nil, fmt.Errorf("open database %s: %w", Mask(opts.URL), err)
	}
	return s, nil
}

// start makes sure that the database is one of ours, and loads what it holds.
func (s *Store) start(ctx context.Context) error {
	n, c, err := s.nodes.writer(ctx)
	if err != nil {
		return err
	}
	defer n.release(c)
	if s.opts.target {
		err = s.prepareTarget(ctx, c)
	} else if err = s.prepare(ctx, c); err == nil {
		err = s.refuseTarget(ctx, c)
	}
	if err != nil {
		return err
	}
	if err := s.takePlace(ctx, n, c); err != nil {
		return err
	}
	now, at, err := s.load(ctx, n, c)
	if err != nil {
		return unavailable(err)
	}
	s.version.Store(now.cat.Version)
	s.catalogs.Add(now.cat)
	s.now.Store(now)
	if s.clock == nil {
		s.commits.timeline, s.commits.last = at.timeline, at.n
		s.index.Forget(at.n)
	}
	if s.lease != nil {
		s.lease.start()
	}
	s.watching.Go(s.watchCatalog)
	if s.clock != nil && !s.opts.OneShot && !s.opts.RefuseDegraded {
		s.watching.Go(s.watchDegraded)
	}
	return nil
}

// where is a position with its timeline.
type where struct {
	timeline uint32
	n        position.N
}

// query asks a primary how far its log is on disk. Its timeline is that of its
// life: a primary has one.
func (at *where) query(n *node) *query {
	return &query{sql: "SELECT pg_current_wal_flush_lsn()", row: func(_ *query, v [][]byte) error {
		at.n, at.timeline = position.N(int64Of(v[0])), n.member.Report().Timeline
		return nil
	}}
}

// enter counts a call that Close waits for.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed()
	}
	s.running.Add(1)
	return nil
}

// Close ends the store after the reads and writes under way. Later calls fail
// with a KindUnavailable error. A second Close does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.ended)
	s.mu.Unlock()

	s.watching.Wait()
	s.running.Wait()
	if s.lease != nil {
		s.lease.end()
	}
	s.nodes.close()
	s.unknown.Wait()
	return nil
}

func errClosed() error {
	return &pando.Error{Kind: pando.KindUnavailable, Message: "The database is being closed."}
}

// user and database name what the URL names.
func (s *Store) user() string     { return s.hosts[0].cfg.User }
func (s *Store) database() string { return s.hosts[0].cfg.Database }

// Stats counts since the store was opened.
type Stats struct {
	Reads   uint64 // calls of Read that asked something
	Primary uint64 // of these, sent to the primary
	Writes  uint64 // transactions kept
	Retries uint64 // transactions run again
}

type statistics struct{ reads, writes, retries atomic.Uint64 }

// Stats counts now.
func (s *Store) Stats() Stats {
	return Stats{s.stats.reads.Load(), s.nodes.onPrimary.Load(), s.stats.writes.Load(), s.stats.retries.Load()}
}
