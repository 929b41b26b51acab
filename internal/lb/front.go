package lb

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// front serves the HTTP/1 connections of one address by the fast path, over TLS or not, and
// lends them to net/http, as a listener, for what that does not take. With TLS, those of
// HTTP/2 are given to net/http for good.
type front struct {
	b   *Balancer
	g   *guard
	ctx context.Context // of dials

	lends chan net.Conn
	ended chan struct{}
	once  sync.Once

	busy    sync.WaitGroup
	closing atomic.Bool
	mu      sync.Mutex // guards what follows
	conns   map[*fastConn]struct{}
	shut    bool
}

func newFront(b *Balancer, g *guard, ctx context.Context) *front {
	return &front{b: b, g: g, ctx: ctx, lends: make(chan net.Conn), ended: make(chan struct{}), conns: map[*fastConn]struct{}{}}
}

// start serves c.
func (f *front) start(c *clientConn) {
	fc := &fastConn{c: c, front: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut {
		_ = c.cut()
		return
	}
	f.conns[fc] = struct{}{}
	f.busy.Go(fc.serve)
}

func (f *front) forget(fc *fastConn) {
	f.mu.Lock()
	delete(f.conns, fc)
	f.mu.Unlock()
}

// lend gives a connection to net/http.
func (f *front) lend(l *lent) {
	select {
	case f.lends <- l:
	case <-f.ended:
		l.clientConn.begun.Swap(nil).abandon()
		_ = l.cut()
	}
}

// Accept gives the next connection that is lent.
func (f *front) Accept() (net.Conn, error) {
	select {
	case nc := <-f.lends:
		return nc, nil
	case nc := <-f.g.conns: // HTTP/2
		return nc, nil
	case err := <-f.g.failed:
		return nil, err
	case <-f.ended:
		return nil, net.ErrClosed
	}
}

// Addr is that of the listener below.
func (f *front) Addr() net.Addr { return f.g.Addr() }

// Close lends no more.
func (f *front) Close() error {
	f.once.Do(func() { close(f.ended) })
	return nil
}

// drain closes idle connections, and waits until the others are idle or lent; it fails if
// ctx ends before.
func (f *front) drain(ctx context.Context) error {
	f.closing.Store(true)
	f.each(func(fc *fastConn) { _ = fc.c.Conn.SetReadDeadline(past) })
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for f.each(nil) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}

// close cuts all off.
func (f *front) close() {
	f.closing.Store(true)
	f.Close()
	f.mu.Lock()
	f.shut = true
	f.mu.Unlock()
	f.each(func(fc *fastConn) { _ = fc.c.cut() })
	f.busy.Wait()
}

// each calls do for all connections, and tells how many there are.
func (f *front) each(do func(*fastConn)) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if do != nil {
		for fc := range f.conns {
			do(fc)
		}
	}
	return len(f.conns)
}
