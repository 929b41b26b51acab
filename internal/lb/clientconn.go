package lb

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// clientConn is a client's connection, which is counted until it is closed: what HTTP/1 is
// spoken on, over TLS or not. Deadlines are those of the connection itself.
type clientConn struct {
	net.Conn
	tls     *tls.Conn // over Conn, by way of below; nil: plain, or the handshake is not over, or HTTP/2 is spoken
	b       *Balancer
	g       *guard
	fresh   atomic.Bool // its first request has not come
	strict  *strict     // looks at what net/http reads; nil: the fast path does
	entered atomic.Bool
	gone    atomic.Bool
	over    atomic.Bool // nothing more is read: what comes cannot be told apart

	proxied bool // it begins with a PROXY header
	once    sync.Once
	addr    netip.Addr // of the client
	remote  net.Addr   // as the header says; nil: that of Conn
	sealed  []byte     // what came with that header, where TLS is spoken
	rest    []byte     // what was read of HTTP and comes before what there is to be read
	failed  error

	// Of the fast path:
	begun   atomic.Pointer[begun] // its attempt at the request that the slow path is given
	counted atomic.Bool           // the request is counted as one of the client's
	partial bool                  // there is a deadline for the rest of a header
	atOnce  bool                  // it is read and written by means of fd, without waiting
	fd      uintptr
	drained bool // nothing more was there when fd was read last
	came    bool // of TLS: something has, which may be part of a request
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
		rest := make([]byte, r.Buffered())
		_, _ = io.ReadFull(r, rest) // it is there
		if c.g.tls != nil {
			c.sealed = rest
		} else {
			c.rest = rest
		}
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
		return takeFrom(&c.rest, p), nil
	}
	if c.tls != nil {
		return c.tls.Read(p)
	}
	return c.Conn.Read(p)
}

// takeFrom moves what fits of kept into p, and lets go of kept with the last of it.
func takeFrom(kept *[]byte, p []byte) int {
	n := copy(p, *kept)
	if *kept = (*kept)[n:]; len(*kept) == 0 {
		*kept = nil
	}
	return n
}

func (c *clientConn) Write(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(p)
	}
	return c.Conn.Write(p)
}

// served notes that its first request has come, or never will.
func (c *clientConn) served() {
	if c.fresh.Load() && c.fresh.Swap(false) {
		c.g.fresh.Add(-1)
	}
}

// Close uncounts the connection. Over TLS it says goodbye first, and may wait for that to go.
func (c *clientConn) Close() error {
	if c.tls != nil {
		return c.tls.Close()
	}
	return c.cut()
}

// cut closes it without a word.
func (c *clientConn) cut() error {
	c.served()
	if !c.gone.Swap(true) && c.entered.Load() {
		c.b.clients.left(c.addr)
	}
	return c.Conn.Close()
}

// CloseWrite tells the client that nothing more comes, so that it reads what there is.
func (c *clientConn) CloseWrite() error {
	if c.tls != nil {
		return c.tls.CloseWrite()
	}
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// connContext notes what net/http does not see of a connection.
func connContext(ctx context.Context, nc net.Conn) context.Context {
	var c *clientConn
	switch nc := nc.(type) {
	case *clientConn:
		c = nc
	case *lent:
		c = nc.clientConn
	case *tls.Conn: // HTTP/2
		if b, ok := nc.NetConn().(below); ok {
			c = b.clientConn
		}
	}
	return context.WithValue(ctx, connKey{}, c)
}

// connKey finds the *clientConn of a request.
type connKey struct{}

// connOf is the client's connection that a request came by; nil if it is not one of ours.
func connOf(r *http.Request) *clientConn {
	c, _ := r.Context().Value(connKey{}).(*clientConn)
	return c
}
