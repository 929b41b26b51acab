package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A connection costs PostgreSQL a process, and that process reads the catalog before it
// answers anything: tens of milliseconds of a processor where that is slow. Behind a
// failover hundreds wait for one. If each of them had one made, the primary would do
// nothing else for seconds, and few are needed: the first serves many. So a pool makes a
// few at once; who waits gets whatever is there first, one that was made or one that was
// released; and one whose client has gone is there for the next.
const (
	// openAtOnce is how many connections are made at once, but for those that take long.
	openAtOnce = 2
	// openSlow is when one takes long. What it is sent may have been lost on the way, and what
	// the next one is sent may not.
	openSlow = 400 * time.Millisecond
	// openSlowAtOnce is how many of those there are besides. A host that is slow because it has
	// too much to do is not helped by more.
	openSlowAtOnce = 2
	// openElsewhere is when who waits is sent to look for another host, if there is one. If this
	// one answers no probes either, the connection is given up: the next one may find it, or
	// another one of its name.
	openElsewhere = 1500 * time.Millisecond
	// openMost is how long one may take where probes are answered. Most of what a connection
	// costs its host has been paid by the time that it is slow: to give it up and begin anew is
	// how a host that has too much to do never makes one.
	openMost = 5 * time.Second
	// openMore is how long somebody waits before more are made, whatever those that there are
	// are doing. Where each is used for a moment only, nobody waits for as long.
	openMore = 50 * time.Millisecond
	// openWatch is how often a pool is looked after while anybody waits.
	openWatch = 25 * time.Millisecond
)

// errSlow is of a host that takes long to make a connection. Whether it answers at all is
// what probes tell.
var errSlow = &lostError{errors.New("the host takes long to make a connection")}

// attempt is a connection that is being made.
type attempt struct {
	began  time.Time
	cancel context.CancelCauseFunc
}

// more has connections made for those who wait, as far as there may be any. p.mu is held.
func (p *pool) more() {
	quick := 0
	for _, a := range p.opening {
		if time.Since(a.began) < openSlow {
			quick++
		}
	}
	room := func() bool {
		return len(p.opening) < openAtOnce+openSlowAtOnce && len(p.idle)+len(p.used)+len(p.opening) < cap(p.seats)
	}
	for ; !p.closed && quick < min(openAtOnce, len(p.waiting)) && room(); quick++ {
		p.attempts++
		id := p.attempts
		ctx, cancel := context.WithCancelCause(context.Background())
		p.opening[id] = &attempt{time.Now(), cancel}
		p.ends.Go(func() { p.attempt(ctx, id, cancel) })
	}
	p.watchOn()
}

// watchOn has the pool looked after as long as somebody waits in it, or a connection is made.
// p.mu is held.
func (p *pool) watchOn() {
	if !p.watched && len(p.waiting)+len(p.opening) > 0 {
		p.watched = true
		time.AfterFunc(openWatch, p.watch)
	}
}

// watch looks after the pool.
func (p *pool) watch() {
	silent, elsewhere := p.silent != nil && p.silent(), p.elsewhere != nil && p.elsewhere()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watched = false
	late := false
	for _, a := range p.opening {
		switch age := time.Since(a.began); {
		case age >= openElsewhere && silent:
			a.cancel(errNodeSilent)
		case age >= openMost:
			a.cancel(errSlow)
		case age >= openElsewhere:
			late = true
		}
	}
	if late && elsewhere {
		p.waiting = slices.DeleteFunc(p.waiting, func(w *waiter) bool {
			away := time.Since(w.since) >= openElsewhere
			if away {
				w.got <- handed{err: errSlow}
			}
			return away
		})
	}
	if len(p.waiting) > 0 && time.Since(p.waiting[0].since) >= openMore {
		p.more()
	}
	p.watchOn()
}

// attempt makes one connection.
func (p *pool) attempt(ctx context.Context, id uint64, cancel context.CancelCauseFunc) {
	defer cancel(nil)
	c, err := p.opened(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.opening, id)
	switch {
	case err != nil:
		p.tell(id, err)
		p.more()
	case p.closed:
		p.ends.Add(1)
		p.end(c)
	default:
		c.pool = p
		p.put(c)
	}
}

// tell has one of those who waited when an attempt began fail: the others have theirs made.
// p.mu is held.
func (p *pool) tell(id uint64, err error) {
	if len(p.waiting) > 0 && p.waiting[0].after < id {
		p.waiting[0].got <- handed{err: err}
		p.waiting = p.waiting[1:]
	}
}

// stop ends what is being made, and has who waits for it fail: a host that stands still
// accepts a connection and says nothing more. p.mu is held.
func (p *pool) stop(err error) {
	for _, a := range p.opening {
		a.cancel(err)
	}
	p.fail(err)
}

// opened makes a connection to the life of the host that the pool is of.
func (p *pool) opened(ctx context.Context) (*conn, error) {
	c, err := p.open(ctx)
	if err != nil || p.life == nil {
		return c, err
	}
	if err = p.life().continues(ctx, c); err != nil {
		p.discard(c)
	}
	if err == nil || errors.Is(err, errOtherLife) {
		p.met(err == nil)
	}
	return c, err
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
