package lb

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime/debug"
	"time"
)

// handshake makes c's handshake, which may take as long as a header, and gives c to the
// fast path, if there is one and HTTP/1.1 is spoken, or to net/http.
func (g *guard) handshake(c *clientConn, fast func(*clientConn)) {
	defer g.b.rescue(c, func() {})
	ctx, cancel := context.WithTimeout(g.shakes, max(g.b.cfg.Limits.HeaderTimeout, time.Second))
	defer cancel()
	tc := tls.Server(below{c}, g.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = c.cut()
		return
	}
	var nc net.Conn = tc
	switch tc.ConnectionState().NegotiatedProtocol {
	case "h2":
	case "", "http/1.1":
		c.tls = tc
		if fast != nil {
			fast(c)
			return
		}
		fallthrough
	default:
		c.tls, c.strict, nc = tc, &strict{}, c
	}
	select {
	case g.conns <- nc:
	case <-g.ended:
		_ = c.cut()
	}
}

// rescue keeps a panic that serves one connection from ending all others: it closes c and
// tells of it, as net/http does. after gives back what was taken.
func (b *Balancer) rescue(c *clientConn, after func()) {
	v := recover()
	if v == nil {
		return
	}
	b.log.Error("a connection was closed because of a defect of the load balancer: please report this", "client", c.Conn.RemoteAddr().String(), "panic", v, "stack", string(debug.Stack()))
	_ = c.cut()
	after()
}

// below is a client's connection as TLS has it: what is read and written there is sealed.
//
// The fast path has it read without waiting: then an end that may be none is errLater, and
// crypto/tls keeps what it has of a record, as after a deadline.
type below struct{ *clientConn }

func (b below) Read(p []byte) (int, error) {
	c := b.clientConn
	if c.atOnce {
		if c.drained {
			return 0, errLater // without asking: nothing has come since
		}
		n, err := c.readNow(p)
		c.came = c.came || n > 0
		return n, err
	}
	if err := c.introduce(); err != nil {
		return 0, err
	}
	if c.over.Load() {
		return 0, io.EOF
	}
	if len(c.sealed) > 0 {
		return takeFrom(&c.sealed, p), nil
	}
	return c.Conn.Read(p)
}

func (b below) Write(p []byte) (int, error) {
	if b.atOnce {
		return b.writeNow(p)
	}
	return b.Conn.Write(p)
}

// Close is not clientConn's, which closes TLS first.
func (b below) Close() error { return b.cut() }

// CloseWrite is TLS's.
func (b below) CloseWrite() error { return nil }

// errLater is that nothing is there to be read without waiting.
var errLater net.Error = later{}

type later struct{}

func (later) Error() string   { return "nothing more has come yet" }
func (later) Timeout() bool   { return true }
func (later) Temporary() bool { return true }
