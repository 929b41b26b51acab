package sqlite

import (
	"context"
	"errors"
	"sync"
)

// pool lends connections to readers. Connections are opened when first needed,
// and the one used last is lent first: its page cache is warm.
//
// A query that takes long gives its slot to others, so that a few such queries
// do not keep everybody else from reading. As many again as there are slots may
// do so at once; one more is stopped.
type pool struct {
	open  func() (*conn, error)
	slots chan struct{} // one token per connection lent, long ones left out

	mu     sync.Mutex
	idle   []*conn
	long   int           // connections lent without a slot
	ended  chan struct{} // closed when the pool is and long is 0
	closed bool
}

func newPool(size int, open func() (*conn, error)) *pool {
	return &pool{open: open, slots: make(chan struct{}, size), ended: make(chan struct{})}
}

func (p *pool) acquire(ctx context.Context) (*conn, error) {
	select {
	case p.slots <- struct{}{}:
	default:
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p.mu.Lock()
	closed := p.closed
	var c *conn
	if n := len(p.idle); n > 0 && !closed {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	var err error
	if closed {
		err = errClosed()
	} else if c == nil {
		c, err = p.open()
	}
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

// stepAside takes the slot of a connection whose query goes on for long, for
// somebody else; false if too many have done so.
func (p *pool) stepAside(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.long >= cap(p.slots) || p.closed {
		return false
	}
	p.long++
	c.long = true
	<-p.slots
	return true
}

func (p *pool) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.long {
		p.idle = append(p.idle, c)
		<-p.slots
		return
	}
	c.long = false
	if len(p.idle) < cap(p.slots) && !p.closed {
		p.idle = append(p.idle, c)
	} else {
		_ = c.close() // one more than the pool keeps; it only read
	}
	if p.long--; p.long == 0 && p.closed {
		close(p.ended)
	}
}

// close waits for the connections that are lent.
func (p *pool) close() error {
	p.mu.Lock()
	again := p.closed
	p.closed = true
	if p.long == 0 && !again {
		close(p.ended)
	}
	p.mu.Unlock()
	<-p.ended
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	var err error
	for _, c := range p.idle {
		err = errors.Join(err, c.close())
	}
	p.idle = nil
	for range cap(p.slots) {
		<-p.slots // later calls find the pool closed instead of waiting
	}
	return err
}
