package lb

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
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

	conns  chan net.Conn // after their handshake
	failed chan error    // of Accept, where connections are not accepted by who serves them
	ended  chan struct{}
	once   sync.Once
	busy   sync.WaitGroup

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
		g.busy.Go(func() { g.acceptAll(func(c *clientConn) { g.busy.Go(func() { g.handshake(c) }) }) })
	}
	return g
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

// Close takes no more connections. To close it again, as net/http does when it is
// stopped before it has noticed, is no failure.
func (g *guard) Close() (err error) {
	g.closed.Store(true)
	g.once.Do(func() {
		err = g.Listener.Close()
		close(g.ended)
	})
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

func (g *guard) handshake(c *clientConn) {
	ctx, cancel := context.WithTimeout(context.Background(), max(g.b.cfg.Limits.HeaderTimeout, time.Second))
	defer cancel()
	tc := tls.Server(c, g.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		c.Close()
		return
	}
	var nc net.Conn = tc
	if tc.ConnectionState().NegotiatedProtocol != "h2" {
		nc = &tlsConn{Conn: tc, strict: &strict{}}
	}
	select {
	case g.conns <- nc:
	case <-g.ended:
		nc.Close()
	}
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// clientConn is a client's connection, which is counted until it is closed.
type clientConn struct {
	net.Conn
	b       *Balancer
	g       *guard
	fresh   atomic.Bool // its first request has not come
	strict  *strict     // nil: TLS is spoken here, and looked at behind it
	entered atomic.Bool
	gone    atomic.Bool
	over    atomic.Bool // nothing more is read: what comes cannot be told apart

	proxied bool // it begins with a PROXY header
	once    sync.Once
	addr    netip.Addr // of the client
	remote  net.Addr   // as the header says; nil: that of Conn
	rest    []byte     // what was read and comes before what Conn has
	failed  error

	// Of the fast path:
	begun   atomic.Pointer[begun] // its attempt at the request that the slow path is given
	counted atomic.Bool           // the request is counted as one of the client's
	partial bool                  // there is a deadline for the rest of a header
}

// enter counts the connection, if there may be one more.
func (c *clientConn) enter() bool {
	if !c.b.clients.enter(c.addr) {
		c.b.refusedConns.Add(1)
		return false
	}
	c.entered.Store(true)
	return true
}

// introduce reads the PROXY header. It is called before anything else is read, by the
// connection's own goroutine.
func (c *clientConn) introduce() error {
	if !c.proxied {
		return nil
	}
	c.once.Do(func() {
		_ = c.Conn.SetReadDeadline(time.Now().Add(max(c.b.cfg.Limits.HeaderTimeout, time.Second)))
		r := bufio.NewReaderSize(c.Conn, 512)
		from, err := readProxyHeader(r)
		_ = c.Conn.SetReadDeadline(time.Time{})
		if err != nil {
			c.failed = errors.Join(errProxyHeader, err)
			c.b.unproxied.Do(func() {
				c.b.log.Warn("a connection from --proxy-from does not begin with a PROXY header and is refused; further ones are not logged",
					"from", c.Conn.RemoteAddr().String(), "error", err)
			})
			return
		}
		if from.IsValid() {
			c.remote, c.addr = tcpAddr(from), from.Addr().Unmap()
		}
		if !c.enter() {
			c.failed = net.ErrClosed
			return
		}
		c.rest = make([]byte, r.Buffered())
		_, _ = io.ReadFull(r, c.rest) // it is there
	})
	return c.failed
}

// RemoteAddr is the client's address. net/http asks for it first.
func (c *clientConn) RemoteAddr() net.Addr {
	if c.introduce() == nil && c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

func (c *clientConn) Read(p []byte) (int, error) {
	if err := c.introduce(); err != nil {
		return 0, err
	}
	if c.strict == nil {
		return c.read(p)
	}
	return c.strict.read(c.read, p)
}

func (c *clientConn) read(p []byte) (int, error) {
	if c.over.Load() {
		return 0, io.EOF
	}
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// served notes that its first request has come, or never will.
func (c *clientConn) served() {
	if c.fresh.Load() && c.fresh.Swap(false) {
		c.g.fresh.Add(-1)
	}
}

// Close uncounts the connection.
func (c *clientConn) Close() error {
	c.served()

	if !c.gone.Swap(true) && c.entered.Load() {
		c.b.clients.left(c.addr)
	}
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes, so that it reads what there is.
func (c *clientConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// tlsConn is HTTP/1 over TLS.
type tlsConn struct {
	*tls.Conn
	strict *strict
}

func (c *tlsConn) Read(p []byte) (int, error) { return c.strict.read(c.Conn.Read, p) }

// connContext notes what net/http does not see of a connection.
func connContext(ctx context.Context, nc net.Conn) context.Context {
	switch c := nc.(type) {
	case *clientConn:
		return context.WithValue(ctx, connKey{}, c)
	case *lent:
		return context.WithValue(ctx, connKey{}, c.clientConn)
	case *tls.Conn: // HTTP/2
		inner, _ := c.NetConn().(*clientConn)
		return context.WithValue(ctx, connKey{}, inner)
	case *tlsConn:
		inner, _ := c.NetConn().(*clientConn)
		return context.WithValue(context.WithValue(ctx, overTLS{}, true), connKey{}, inner)
	}
	return ctx
}

// connKey finds the *clientConn of a request.
type connKey struct{}
