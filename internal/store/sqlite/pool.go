package sqlite

import (
	"context"
	"errors"
	"sync"
)

// pool lends connections to readers. Connections are opened when first needed,
// and the one used last is lent first: its page cache is warm.
type pool struct {
	open  func() (*conn, error)
	slots chan struct{} // one token per connection lent

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(size int, open func() (*conn, error)) *pool {
	return &pool{open: open, slots: make(chan struct{}, size)}
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

func (p *pool) release(c *conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	<-p.slots
}

// close waits for the connections that are lent.
func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
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
