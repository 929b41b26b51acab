package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
)

// pool is the connections to one life of one host, for reads or for writes. It never has more than its
// size, and who has waited too long for one is told that the database is busy,
// rather than that everybody waits ever longer.
type pool struct {
	cfg     *pgconn.Config
	session map[string]string // settings of each session, where no pooler is between
	// life is the life of the host that the pool is of; nil: any will do. met is told
	// whether a new connection is of it.
	life   func() life
	met    func(ours bool)
	wait   time.Duration
	tokens chan struct{} // one for each connection that there may be
	late   atomic.Int64  // connections that are being made and whose time is over

	mu   sync.Mutex
	idle []*conn // used last is last, and is used next
	used map[*conn]bool
	// opening are the connections that are being made, by number.
	opening  map[uint64]context.CancelCauseFunc
	attempts uint64
	closed   bool
	pooler   pooler
	ends     sync.WaitGroup // connections being closed
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
	p := &pool{cfg: cfg, session: session, wait: wait, used: make(map[*conn]bool), opening: make(map[uint64]context.CancelCauseFunc)}
	p.tokens = make(chan struct{}, size)
	for range size {
		p.tokens <- struct{}{}
	}
	return p
}

// acquire gives a connection to one goroutine, which must release it.
func (p *pool) acquire(ctx context.Context) (*conn, error) {
	if err := p.queue(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.tokens <- struct{}{}
		return nil, errPoolClosed
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.used[c] = true
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	return p.another(ctx)
}

// openMost is how long a connection may take to be made whose client has gone, and
// openLonger how long one whose own time is over: perhaps its host does not answer, and
// then it keeps a place from others.
const (
	openMost   = 3 * time.Second
	openLonger = time.Second
)

// another makes a connection. If its client goes before it is there, it will be there for
// others: where that takes longer than clients wait, there would never be one, and the
// database would do nothing but begin sessions for nobody.
func (p *pool) another(ctx context.Context) (*conn, error) {
	type made struct {
		c   *conn
		err error
	}
	there := make(chan made)
	go func() {
		attempt, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(ctx, func() {
			if errors.Is(context.Cause(ctx), context.Canceled) {
				time.AfterFunc(openMost, cancel)
			} else if p.linger() {
				time.AfterFunc(openLonger, func() { cancel(); p.late.Add(-1) })
			} else {
				cancel()
			}
		})()
		c, err := p.opened(attempt)
		if err == nil {
			c.pool = p
			p.mu.Lock()
			p.used[c] = true
			p.mu.Unlock()
		}
		select {
		case there <- made{c, err}:
		case <-ctx.Done():
			if err == nil {
				p.release(c)
			} else {
				p.tokens <- struct{}{}
			}
		}
	}()
	select {
	case m := <-there:
		if m.err != nil {
			p.tokens <- struct{}{}
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
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// linger tells whether a connection may still be made whose time is over. Others have half
// of the places to try anew.
func (p *pool) linger() bool {
	if p.late.Add(1) <= max(1, int64(cap(p.tokens))/2) {
		return true
	}
	p.late.Add(-1)
	return false
}

// errPoolClosed says that a pool is of a node that is not used any more.
var errPoolClosed = errors.New("postgres: the pool is closed")

// queue takes a token, or waits for one that others have.
func (p *pool) queue(ctx context.Context) error {
	select {
	case <-p.tokens:
		return nil
	default:
	}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-p.tokens:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return &pando.Error{
			Kind:    pando.KindUnavailable,
			Message: "The database is busy: no connection became free within " + p.wait.String() + ". Please try again in a moment.",
		}
	}
}

// release takes a connection back. One that is broken, or that is still within
// a transaction, is closed.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	delete(p.used, c)
	keep := !p.closed && !c.broken() && c.pg.TxStatus() == 'I'
	if keep {
		p.idle = append(p.idle, c)
	} else {
		p.ends.Add(1)
	}
	p.mu.Unlock()
	if !keep {
		p.end(c)
	}
	p.tokens <- struct{}{}
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
	for _, cancel := range p.opening {
		cancel(errPoolClosed)
	}
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
	for _, cancel := range p.opening {
		cancel(errNodeSilent)
	}
}

var errNodeSilent = &lostError{errors.New("the host does not answer")}

// opened makes a connection, unless it is cut: a host that stands still accepts one
// and says nothing more.
func (p *pool) opened(ctx context.Context) (*conn, error) {
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.mu.Lock()
	p.attempts++
	id := p.attempts
	p.opening[id] = cancel
	closed := p.closed
	p.mu.Unlock()
	if closed { // and who cuts what is under way has done so
		cancel(errPoolClosed)
	}
	c, err := p.open(attempt)
	if err == nil && p.life != nil {
		if err = p.life().continues(attempt, c); err != nil {
			p.discard(c)
		}
		if err == nil || errors.Is(err, errOtherLife) {
			p.met(err == nil)
		}
	}
	p.mu.Lock()
	delete(p.opening, id)
	p.mu.Unlock()
	if err != nil && ctx.Err() == nil && attempt.Err() != nil {
		return nil, context.Cause(attempt)
	}
	return c, err
}

// drain waits, after retire, until all connections are gone.
func (p *pool) drain() {
	for range cap(p.tokens) {
		<-p.tokens
	}
	p.ends.Wait()
}

// open makes a connection. The first one finds out whether a pooler stands
// between, which knows nothing of what we set or prepare in a session.
func (p *pool) open(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	kind := p.pooler
	p.mu.Unlock()
	if kind == poolerYes {
		return connect(ctx, p.cfg, true)
	}
	cfg := p.cfg.Copy()
	for k, v := range p.session {
		cfg.RuntimeParams[k] = v
	}
	c, err := connect(ctx, cfg, false)
	if err != nil && kind == poolerUnknown && refusesParameter(err) {
		p.found(poolerYes)
		return connect(ctx, p.cfg, true)
	}
	if err != nil || kind == poolerNo {
		return c, err
	}
	pooled, err := c.isPooled(ctx)
	if err != nil {
		p.discard(c)
		return nil, err
	}
	if !pooled {
		p.found(poolerNo)
		return c, nil
	}
	p.found(poolerYes)
	c.forget()
	c.gone, c.unnamed = nil, true
	return c, nil
}

func (p *pool) found(kind pooler) {
	p.mu.Lock()
	p.pooler = kind
	p.mu.Unlock()
}

// pooled tells whether a pooler stands between, as far as is known.
func (p *pool) pooled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pooler == poolerYes
}

// refusesParameter tells of PgBouncer's "unsupported startup parameter".
func refusesParameter(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "08P01" && strings.Contains(e.Message, "startup parameter")
}
