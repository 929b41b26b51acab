package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

const (
	// A group is committed when the queue is empty, or at these bounds: nobody's
	// answer waits much longer for the sake of others.
	groupJobs = 512
	groupTime = 4 * time.Millisecond

	// foreignPoll is how often an idle writer looks whether another program
	// wrote to the file.
	foreignPoll = 100 * time.Millisecond
)

// writer runs all writes, one after the other, on one goroutine.
type writer struct {
	s       *Store
	c       *conn
	queue   chan *job
	stopped chan struct{} // closed when the queue is closed and empty

	csn         uint64 // position of the last commit, or beyond it
	version     uint64 // the highest catalog version ever given out
	dataVersion int64  // SQLite's count of others' commits
	blind       bool   // it could not be read the last time
	group       group
	log         checkpointer
}

// group is what is about to be committed together.
type group struct {
	open    bool
	start   time.Time
	cat     *store.Catalog // as of the last job
	done    []*job         // to be answered after the commit
	batches []changes.Batch
	touched []touched // of each batch
	deltas  map[string]int64
	remade  []string // ids of tables made or dropped
	dirty   bool
}

// touched is what an index of last changes is told of one transaction.
type touched struct {
	tags []position.Tag
	all  bool // more than can be named
}

// newWriter makes the writer, in a read transaction that c is in.
func newWriter(s *Store, c *conn) (*writer, error) {
	version, _, err := c.queryInt("PRAGMA data_version")
	if err != nil {
		return nil, err
	}
	m, err := readMeta(c)
	if err != nil {
		return nil, err
	}
	cat, err := loadCatalog(c, m.catalog)
	if err != nil {
		return nil, err
	}
	c.watchLog()
	c.watchRows()
	s.matches.forget(m.csn)
	return &writer{
		s: s, c: c, queue: make(chan *job, 1024), stopped: make(chan struct{}),
		csn: m.csn, version: m.catalog, dataVersion: version,
		group: group{cat: cat}, log: checkpointer{pages: s.opts.CheckpointPages},
	}, nil
}

// job is one call of Write.
type job struct {
	ctx   context.Context
	fn    func(store.Tx) error
	state atomic.Uint32
	done  chan struct{} // one token when pos and err are set
	pos   position.N
	err   error
}

const (
	jobQueued uint32 = iota
	jobRunning
	jobCancelled // by its caller, before it began
)

var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}

// Write runs fn in a transaction.
func (s *Store) Write(ctx context.Context, fn func(store.Tx) error) (position.N, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	j := jobs.Get().(*job)
	j.ctx, j.fn, j.pos, j.err = ctx, fn, 0, nil
	j.state.Store(jobQueued)
	if err := s.enqueue(j); err != nil {
		return 0, err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobQueued, jobCancelled) {
			return 0, ctx.Err() // the writer drops it when its turn comes
		}
		<-j.done // it runs: fn uses the caller's variables, and may be committed
	}
	pos, err := j.pos, j.err
	j.ctx, j.fn = nil, nil
	jobs.Put(j)
	if session := position.SessionOf(ctx); session != nil {
		// One that failed has read as well, and nothing beyond the frontier: it
		// was answered after the commit of those it shared the group with.
		session.Observe(position.Token{N: max(pos, s.index.Frontier())})
	}
	return pos, err
}

func (s *Store) enqueue(j *job) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	if s.closed {
		return errClosed()
	}
	select {
	case s.writer.queue <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
}

func (j *job) answer(pos position.N, err error) {
	j.pos, j.err = pos, err
	j.done <- struct{}{}
}

// loop runs until the queue is closed. If a job ends the goroutine
// (runtime.Goexit, as a test's t.Fatal does), another one goes on.
func (w *writer) loop() {
	clean := false
	defer func() {
		if !clean {
			go w.loop()
		}
	}()
	poll := time.NewTicker(foreignPoll)
	defer poll.Stop()
	w.commit() // of a group whose last job ended the goroutine
	for {
		select {
		case j, ok := <-w.queue:
			if !ok {
				clean = true
				close(w.stopped)
				return
			}
			w.run(j)
			w.gather()
			w.commit()
		case <-poll.C:
			w.lookAround()
		}
	}
}

// gather runs what has queued up, within the bounds of a group.
func (w *writer) gather() {
	for n := 1; n < groupJobs; n++ {
		if w.group.open && time.Since(w.group.start) > groupTime {
			return
		}
		select {
		case j, ok := <-w.queue:
			if !ok {
				return // loop finds it closed as well
			}
			w.run(j)
		default:
			return
		}
	}
}

// run runs one job in the open group, or opens one.
func (w *writer) run(j *job) {
	if !j.state.CompareAndSwap(jobQueued, jobRunning) {
		return
	}
	if err := j.ctx.Err(); err != nil {
		j.answer(0, err)
		return
	}
	if !w.group.open {
		if err := w.begin(); err != nil {
			j.answer(0, err)
			w.refuseQueued(err)
			return
		}
	}
	t := newTx(w)
	finished := false
	defer func() {
		if !finished { // runtime.Goexit
			w.settle(j, t, errors.New("sqlite: the function given to Write ended its goroutine"))
		}
	}()
	err := call(j.fn, t)
	finished = true
	w.settle(j, t, err)
}

// refuseQueued answers everybody who waits by now: the lock that could not be
// had in time must not be waited for once more by each of them.
func (w *writer) refuseQueued(err error) {
	for range len(w.queue) {
		if j, ok := <-w.queue; ok && j.state.CompareAndSwap(jobQueued, jobRunning) {
			j.answer(0, err)
		}
	}
}

// call runs fn; a panic becomes an error.
func call(fn func(store.Tx) error, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pando.Error{
				Kind: pando.KindInternal, Message: "Something went wrong while processing your request.",
				Err: fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack()),
			}
		}
	}()
	return fn(t)
}

// begin opens the group's transaction and makes sure that the writer knows what
// the file holds.
func (w *writer) begin() error {
	w.c.ctx = nil
	if err := w.c.exec("BEGIN IMMEDIATE"); err != nil {
		return unavailable(fmt.Errorf("begin: %w", err))
	}
	if err := w.checkForeign(); err != nil {
		w.rollback()
		return unavailable(fmt.Errorf("begin: %w", err))
	}
	g := &w.group
	g.open, g.start, g.dirty = true, time.Now(), false
	g.cat = w.s.Catalog()
	return nil
}

// settle keeps what a job did, or undoes it.
func (w *writer) settle(j *job, t *tx, err error) {
	t.ended = true
	w.c.ctx = nil
	if !w.c.inTransaction() {
		// A full disk or a failing one ends the whole transaction.
		if err == nil {
			err = errEnded
		}
		err = unavailable(err)
		w.fail(err)
		j.answer(0, err)
		return
	}
	if err == nil && t.broken != nil {
		err = t.broken
	}
	if err != nil {
		if undo := t.undo(); undo != nil {
			w.rollback()
			w.fail(unavailable(undo))
		}
		if w.group.dirty {
			// It may have failed because of what others in the group did, which
			// nobody can see before the commit.
			j.err = err
			w.group.done = append(w.group.done, j)
			return
		}
		j.answer(0, err)
		return
	}
	if err := t.keep(); err != nil {
		w.rollback()
		w.fail(unavailable(err))
		j.answer(0, unavailable(err))
		return
	}
	j.pos = position.N(w.csn)
	w.group.done = append(w.group.done, j)
}

// commit ends the group: everything in it is on disk, or nothing is.
func (w *writer) commit() {
	g := &w.group
	if !g.open {
		return
	}
	if !g.dirty {
		w.rollback()
		for _, j := range g.done {
			j.answer(j.pos, j.err)
		}
		w.reset()
		return
	}
	if err := w.commitSQL(); err != nil {
		w.s.counts.retract(w.csn, g.deltas)
		if w.s.coming.Swap(nil) != nil {
			w.s.catalogs.Drop(g.cat.Version)
		}
		w.rollback()
		// A commit that failed is one that changed nothing, and visible as
		// such: what the index was told of it need not cost hits for long.
		w.s.index.Publish(position.N(w.csn))
		w.s.log.Error("commit failed", "writes", len(g.done), "err", err)
		w.fail(unavailable(fmt.Errorf("commit: %w", err)))
		return
	}
	if w.s.coming.Load() != nil {
		mutant.Gap(mutant.CatalogLate)
		w.s.publish(g.cat)
		w.s.coming.Store(nil)
	}
	w.s.index.Publish(position.N(w.csn))
	for _, b := range g.batches {
		for _, sink := range w.s.opts.Sinks {
			sink.Publish(b)
		}
	}
	w.s.stats.commits.Add(1)
	w.s.stats.writes.Add(uint64(len(g.batches)))
	for _, j := range g.done {
		j.answer(j.pos, j.err)
	}
	w.reset()
	w.checkpoint()
}

// commitSQL tells everybody who judges by positions what is about to become
// visible, and then makes it so.
func (w *writer) commitSQL() error {
	g := &w.group
	if err := w.c.exec("UPDATE _pando_meta SET csn = ?, catalog = ?", w.csn, g.cat.Version); err != nil {
		return err
	}
	w.s.counts.change(w.csn, g.deltas)
	for _, id := range g.remade {
		w.s.counts.restart(w.csn, id)
	}
	if mutant.RowsLate {
		defer w.noteRows()
		defer mutant.Gap(true)
	} else {
		w.noteRows()
	}
	if g.cat != w.s.Catalog() {
		w.s.catalogs.Add(g.cat)
		w.s.coming.Store(g.cat)
	}
	if mutant.PublishBeforeCommit {
		w.s.index.Publish(position.N(w.csn))
		mutant.Gap(true)
	}
	if mutant.BumpAfterCommit {
		defer w.bump()
		defer mutant.Gap(true)
	} else {
		w.bump()
	}
	return w.c.exec("COMMIT")
}

// noteRows tells the searches that are remembered which rows the group changes.
// A new catalog may mean other columns under the same names.
func (w *writer) noteRows() {
	g := &w.group
	whole := g.cat != w.s.Catalog() || slices.ContainsFunc(g.touched, func(t touched) bool { return t.all })
	if whole {
		w.s.matches.forget(w.csn)
	} else {
		w.s.matches.change(w.csn, &w.c.rows)
	}
}

// bump tells the index what the group changes.
func (w *writer) bump() {
	g := &w.group
	w.s.index.Bump(position.N(w.csn), []position.Tag{position.AllTag})
	for i, b := range g.batches {
		if g.touched[i].all {
			w.s.index.BumpAll(b.Position)
		} else {
			w.s.index.Bump(b.Position, g.touched[i].tags)
		}
	}
}

// fail answers everybody in the group with err.
func (w *writer) fail(err error) {
	for _, j := range w.group.done {
		j.answer(0, err)
	}
	w.reset()
}

func (w *writer) rollback() {
	if !w.c.inTransaction() {
		return
	}
	if err := w.c.exec("ROLLBACK"); err != nil {
		w.s.log.Error("rollback failed", "err", err)
	}
}

func (w *writer) reset() {
	g := &w.group
	clear(g.done)
	clear(g.batches)
	clear(g.touched)
	g.done, g.batches, g.touched = g.done[:0], g.batches[:0], g.touched[:0]
	g.remade = g.remade[:0]
	clear(g.deltas)
	w.c.rows.clear()
	g.open, g.dirty = false, false
}
