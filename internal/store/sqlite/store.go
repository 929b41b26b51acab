package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// FileName is the database's name within its directory.
const FileName = "data.db"

// Options says where a store lies and what it may use. Only Dir is needed.
type Options struct {
	Dir string // made if it is not there

	// Index is told of every commit; nil means one that nobody else reads.
	Index *position.Index
	// Sinks are given every batch, in commit order, before its answer.
	Sinks []changes.Sink

	// Readers is how many reads may run at once; 0 means one per core, at
	// least 4.
	Readers int
	// ReaderCache and WriterCache are the page cache of each reading connection
	// and of the writer's, in bytes; 0 means 2 MB and 8 MB.
	ReaderCache, WriterCache int64
	// LockWait is how long a statement waits for another program's lock; 0 means
	// 5 seconds.
	LockWait time.Duration
	// QueryTimeout is how long a reader's query may run; 0 means 30 seconds.
	QueryTimeout time.Duration
	// LongQuery is when a query counts as a long one, which does not keep others
	// from reading; 0 means 1 second.
	LongQuery time.Duration
	// CheckpointPages is how long the log grows before its pages go back into
	// the database file; 0 means 2000 pages of 4 KB.
	CheckpointPages int

	// RememberFrom is how much work a search must be for its result to be
	// remembered, in steps of SQLite's machine; 0 means 2000, some 500 rows. Below
	// 0 nothing is remembered.
	RememberFrom int

	Logger *slog.Logger // nil: slog.Default

	pragmas []string // set on the writer's connection last; for tests that must fail
}

// Store is a store.Store on one SQLite file.
type Store struct {
	opts  Options
	path  string
	log   *slog.Logger
	index *position.Index

	catalog  atomic.Pointer[store.Catalog]
	coming   atomic.Pointer[store.Catalog] // being committed, to be published then; else nil
	catalogs store.Versions
	plans    store.Plans[*plan]
	counts   counts
	matches  matches
	pool     *pool
	writer   *writer
	stats    statistics

	closing sync.RWMutex // held for reading while a write is queued
	closed  bool
}

var _ store.Store = (*Store)(nil)

// Open opens the database in opts.Dir, making it if it is not there. What a
// crash left in the log is recovered. A file of a newer version of Pando, or one
// of another program, is refused with a KindInvalid error and not touched.
func Open(opts Options) (*Store, error) {
	if opts.Readers <= 0 {
		opts.Readers = max(4, runtime.GOMAXPROCS(0))
	}
	if opts.ReaderCache <= 0 {
		opts.ReaderCache = 2 << 20
	}
	if opts.WriterCache <= 0 {
		opts.WriterCache = 8 << 20
	}
	if opts.CheckpointPages <= 0 {
		opts.CheckpointPages = 2000
	}
	if opts.LockWait <= 0 {
		opts.LockWait = 5 * time.Second
	}
	if opts.QueryTimeout <= 0 {
		opts.QueryTimeout = 30 * time.Second
	}
	if opts.LongQuery <= 0 {
		opts.LongQuery = time.Second
	}
	if opts.RememberFrom == 0 {
		opts.RememberFrom = 2000
	}
	s := &Store{opts: opts, path: filepath.Join(opts.Dir, FileName), log: opts.Logger, index: opts.Index, plans: store.Plans[*plan]{Make: newPlan}}
	s.counts.counting = make(chan struct{}, 1)
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.index == nil {
		s.index = position.NewIndex(0)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	c, err := s.openWriter()
	if err != nil {
		return nil, fmt.Errorf("open database: %w", s.damaged(err))
	}
	s.pool = newPool(opts.Readers, s.openReader)
	if err := s.start(c); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", s.damaged(err)), c.close())
	}
	return s, nil
}

// start loads what the file holds and lets the writer run. All of it is of one
// snapshot, so that a write of another program that comes between cannot slip by.
func (s *Store) start(c *conn) error {
	if err := c.exec("BEGIN"); err != nil {
		return unavailable(err)
	}
	w, err := newWriter(s, c)
	if err := errors.Join(err, c.exec("COMMIT")); err != nil {
		return unavailable(err)
	}
	s.writer = w
	s.catalogs.Add(w.group.cat)
	s.catalog.Store(w.group.cat)
	s.index.Forget(position.N(w.csn))
	go w.loop()
	return nil
}

// openReader opens a connection for the pool.
func (s *Store) openReader() (*conn, error) {
	c, err := openConn(s.path, s.opts.LockWait)
	if err != nil {
		return nil, unavailable(err)
	}
	err = c.pragmas(fmt.Sprintf("cache_size=-%d", s.opts.ReaderCache>>10), "query_only=ON")
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.pool = s.pool
	c.limits = &queryLimits{long: s.opts.LongQuery, most: s.opts.QueryTimeout}
	return c, nil
}

// openWriter opens the writer's connection, and makes sure that the file is one
// of ours before anything in it is changed.
func (s *Store) openWriter() (*conn, error) {
	if err := createPrivate(s.path); err != nil {
		return nil, unavailable(err)
	}
	c, err := openConn(s.path, s.opts.LockWait)
	if err != nil {
		return nil, unavailable(err)
	}
	err = s.prepareFile(c)
	if err == nil {
		err = c.pragmas(append([]string{
			fmt.Sprintf("cache_size=-%d", s.opts.WriterCache>>10),
			"wal_autocheckpoint=0", // see checkpoint.go
			"journal_size_limit=67108864",
			// What a savepoint remembers is little: no file for it.
			"temp_store=MEMORY",
		}, s.opts.pragmas...)...)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// createPrivate makes the file that SQLite opens next, for its owner only: SQLite
// itself would let everybody read it. The log and the index of the log take its
// mode. A file that is there is not touched: its mode may be somebody's wish, and
// to open and close it would drop the locks that this process has on it.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Catalog is the newest published catalog.
func (s *Store) Catalog() *store.Catalog { return s.catalog.Load() }

// publish makes cat, which is committed, the newest catalog, unless there is a
// newer one.
func (s *Store) publish(cat *store.Catalog) {
	for old := s.catalog.Load(); old.Version < cat.Version; old = s.catalog.Load() {
		if s.catalog.CompareAndSwap(old, cat) {
			return
		}
	}
}

// Path is where the database file lies.
func (s *Store) Path() string { return s.path }

// Read runs fn on a snapshot.
//
// A query holds a processor until it is done. Where there are more than processors, whoever
// comes would stand in line for one before anybody has seen it: neither what is urgent nor
// how many there are too many could be told. So all who are there already are let come as
// far as this first.
func (s *Store) Read(ctx context.Context, fn func(store.Reader) error) error {
	runtime.Gosched()
	c, err := s.pool.acquire(ctx)
	if err != nil {
		return err
	}
	defer s.pool.release(c)
	s.stats.reads.Add(1)
	r := reader{s: s, c: c, floor: uint64(s.index.Frontier())}
	if err := r.begin(); err != nil {
		return err
	}
	if mutant.StampAfterSnapshot {
		mutant.Gap(true)
		r.floor = uint64(s.index.Frontier())
	}
	defer r.end()
	position.SessionOf(ctx).Observe(position.Token{N: r.Stamp()})
	return fn(&r)
}

// Close ends the store after the reads and writes under way. Later calls fail
// with a KindUnavailable error. A second Close does nothing.
func (s *Store) Close() error {
	s.closing.Lock()
	if s.closed {
		s.closing.Unlock()
		return nil
	}
	s.closed = true
	close(s.writer.queue)
	s.closing.Unlock()

	<-s.writer.stopped
	err := s.pool.close()
	return errors.Join(err, s.writer.c.close())
}

func errClosed() error {
	return &pando.Error{Kind: pando.KindUnavailable, Message: "The database is being closed."}
}
