package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
)

// pool is the connections to one life of one host, for reads or for writes. It never has more than its
// size, and who has waited too long for one is told that the database is busy,
// rather than that everybody waits ever longer. How they are made: opening.go.
type pool struct {
	cfg     *pgconn.Config
	session map[string]string // settings of each session, where no pooler is between
	// life is the life of the host that the pool is of; nil: any will do. met is told
	// whether a new connection is of it. silent tells whether the host answers no probes, and
	// elsewhere whether another one can be asked; both may be nil.
	life      func() life
	met       func(ours bool)
	silent    func() bool
	elsewhere func() bool
	wait      time.Duration
	seats     chan struct{} // one for each who may have a connection, or wait for one that is made

	mu       sync.Mutex
	idle     []*conn // used last is last, and is used next
	used     map[*conn]bool
	waiting  []*waiter // in the order in which they came; none is idle then
	opening  map[uint64]*attempt
	attempts uint64 // how many there were
	watched  bool   // it is looked after in a moment
	closed   bool
	pooler   pooler
	ends     sync.WaitGroup // connections being made or closed
}

// pooler tells whether something like PgBouncer stands between.
type pooler uint8

const (
	poolerUnknown pooler = iota
	poolerNo
	poolerYes
)

func newPool(cfg *pgconn.Config, size int, wait time.Duration, session map[string]string) *pool {
	cfg = cfg.Copy()
	cfg.BuildContextWatcherHandler = watchLeft
	p := &pool{cfg: cfg, session: session, wait: wait, used: make(map[*conn]bool), opening: make(map[uint64]*attempt)}
	p.seats = make(chan struct{}, size)
	for range size {
		p.seats <- struct{}{}
	}
	return p
}

// waiter is who has a seat, and waits for a connection that is made or released.
type waiter struct {
	after uint64    // the number of the last attempt that was there before it
	since time.Time // it asked for a connection
	got   chan handed
}

// handed is what a waiter gets: either.
type handed struct {
	c   *conn
	err error
}

// errPoolClosed says that a pool is of a node that is not used any more.
var errPoolClosed = errors.New("postgres: the pool is closed")

// acquire gives a connection to one goroutine, which must release it.
func (p *pool) acquire(ctx context.Context) (*conn, error) {
	since := time.Now()
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-p.seats:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, p.busy()
	}
	c, w, err := p.take(since)
	if w == nil {
		return c, err
	}
	select {
	case m := <-w.got:
		return p.given(m)
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = p.busy()
	}
	p.mu.Lock()
	i := slices.Index(p.waiting, w)
	if i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 { // it has got something meanwhile
		if m := <-w.got; m.err == nil {
			p.release(m.c)
			return nil, err
		}
	}
	p.seats <- struct{}{}
	return nil, err
}

// take is an idle connection, or a place in the queue for one.
func (p *pool) take(since time.Time) (*conn, *waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.seats <- struct{}{}
		return nil, nil, errPoolClosed
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.used[c] = true
		return c, nil, nil
	}
	w := &waiter{p.attempts, since, make(chan handed, 1)}
	p.waiting = append(p.waiting, w)
	p.more()
	return nil, w, nil
}

// given is what a waiter has got.
func (p *pool) given(m handed) (*conn, error) {
	if m.err != nil {
		p.seats <- struct{}{}
		return nil, m.err
	}
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		p.release(m.c)
		return nil, errPoolClosed
	}
	return m.c, nil
}

func (p *pool) busy() error {
	return &pando.Error{
		Kind:    pando.KindUnavailable,
		Message: "The database is busy: no connection became free within " + p.wait.String() + ". Please try again in a moment.",
	}
}

// put has a connection used by who waits longest, or keeps it for the next. p.mu is
// held.
func (p *pool) put(c *conn) {
	if len(p.waiting) == 0 {
		p.idle = append(p.idle, c)
		return
	}
	p.used[c] = true
	p.waiting[0].got <- handed{c: c}
	p.waiting = slices.Delete(p.waiting, 0, 1)
}

// fail has all who wait fail. p.mu is held.
func (p *pool) fail(err error) {
	for _, w := range p.waiting {
		w.got <- handed{err: err}
	}
	p.waiting = nil
}

// release takes a connection back. One that is broken, or that is still within
// a transaction, is closed.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	delete(p.used, c)
	keep := !p.closed && !c.broken() && c.pg.TxStatus() == 'I'
	if keep {
		p.put(c)
	} else {
		p.ends.Add(1)
		p.more()
	}
	p.mu.Unlock()
	if !keep {
		p.end(c)
	}
	p.seats <- struct{}{}
}

// end closes a connection without making anybody wait for it.
func (p *pool) end(c *conn) {
	go func() {
		defer p.ends.Done()
		c.close()
	}()
}

// discard closes a connection that never came to be used. Whoever has waited for it
// does not wait for its end as well, nor is a host that does not answer asked to stop.
func (p *pool) discard(c *conn) {
	c.hold.Store(true)
	p.ends.Add(1)
	p.end(c)
}

// retire closes the connections that nobody uses, and the others when they are
// released; none is made any more. With cut, those in use fail at once: their node is
// not what it was.
func (p *pool) retire(cut bool) {
	p.mu.Lock()
	p.closed = true
	p.stop(errPoolClosed)
	p.mu.Unlock()
	p.flush()
	if cut {
		p.cut()
	}
}

// flush closes the connections that nobody uses. One has failed, and what ended it
// has most likely ended the others: who finds one dead after the other gives up.
func (p *pool) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		p.ends.Add(1)
		p.end(c)
	}
	p.idle = nil
}

// cut makes what is under way fail at once.
func (p *pool) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.used {
		c.cut()
	}
	p.stop(errNodeSilent)
}

var errNodeSilent = &lostError{errors.New("the host does not answer")}

// drain waits, after retire, until all connections are gone.
func (p *pool) drain() {
	for range cap(p.seats) {
		<-p.seats
	}
	p.ends.Wait()
}
