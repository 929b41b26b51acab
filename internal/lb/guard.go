package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/deadline"
)

// guard accepts connections within the limits. With TLS it makes the handshakes too, so
// that HTTP/1 is looked at behind them as it is without.
type guard struct {
	net.Listener
	b   *Balancer
	tls *tls.Config // nil: plain

	conns  chan net.Conn // after their handshake, for net/http
	failed chan error    // of Accept, where connections are not accepted by who serves them
	ended  chan struct{}
	socket sync.Once // closes it
	once   sync.Once // closes ended
	busy   sync.WaitGroup
	shakes context.Context // of handshakes
	cut    context.CancelFunc

	closed atomic.Bool
	fresh  atomic.Int64 // connections accepted whose first request has not come
}

func (b *Balancer) newGuard(l net.Listener, config *tls.Config) *guard {
	g := &guard{Listener: deadline.Listener(l), b: b, failed: make(chan error, 1), ended: make(chan struct{})}
	if config != nil {
		g.tls = config.Clone()
		for _, p := range []string{"http/1.1", "h2"} {
			if !slices.Contains(g.tls.NextProtos, p) {
				g.tls.NextProtos = append([]string{p}, g.tls.NextProtos...)
			}
		}
		g.conns = make(chan net.Conn)
	}
	g.shakes, g.cut = context.WithCancel(context.Background())
	return g
}

// begin accepts connections where whoever serves them does not do it: with TLS, where each
// makes its handshake first, and for the fast path, which HTTP/1.1 goes to; nil: there is
// none.
func (g *guard) begin(fast func(*clientConn)) {
	switch {
	case g.tls != nil:
		g.busy.Go(func() { g.acceptAll(func(c *clientConn) { g.busy.Go(func() { g.handshake(c, fast) }) }) })
	case fast != nil:
		g.busy.Go(func() { g.acceptAll(fast) })
	}
}

// Accept gives the next connection.
func (g *guard) Accept() (net.Conn, error) {
	if g.tls == nil {
		return g.accept()
	}
	select {
	case nc := <-g.conns:
		return nc, nil
	case err := <-g.failed:
		return nil, err
	case <-g.ended:
		return nil, net.ErrClosed
	}
}

// Close gives no more connections.
func (g *guard) Close() error {
	err := g.stop()
	g.once.Do(func() { close(g.ended) })
	return err
}

// stop takes no more connections; those in their handshake are still given. To stop again,
// as net/http does before it has noticed, is no failure.
func (g *guard) stop() (err error) {
	g.closed.Store(true)
	g.socket.Do(func() { err = g.Listener.Close() })
	return err
}

// accept refuses what is beyond the limits by closing it.
func (g *guard) accept() (*clientConn, error) {
	for {
		nc, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &clientConn{Conn: nc, b: g.b, g: g, addr: addrOf(nc.RemoteAddr())}
		c.fresh.Store(true)
		g.fresh.Add(1)
		if g.tls == nil {
			c.strict = &strict{}
		}
		c.proxied = slices.ContainsFunc(g.b.cfg.ProxyFrom, func(p netip.Prefix) bool { return p.Contains(c.addr) })
		if c.proxied {
			return c, nil // counted once it is known whose it is
		}
		if c.enter() {
			return c, nil
		}
		c.Close()
	}
}

// acceptAll accepts for as long as there is something to accept from. When files are
// lacking, for example, it tries again after a moment.
func (g *guard) acceptAll(serve func(*clientConn)) {
	var wait time.Duration
	for {
		c, err := g.accept()
		if err == nil {
			wait = 0
			serve(c)
			continue
		}
		var passing interface{ Temporary() bool }
		if g.closed.Load() {
			return
		}
		if !errors.As(err, &passing) || !passing.Temporary() {
			g.failed <- err
			return
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		g.b.log.Warn("a connection cannot be accepted", "error", err, "again_in", wait.String())
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-g.ended:
			t.Stop()
		}
	}
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
