package lb

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// lent is a client's connection while net/http has it, for one request that the fast path
// leaves to it. Not a byte of what follows that request passes; once it is answered, the
// connection goes back to the fast path.
type lent struct {
	*clientConn
	front *front
	one   strict
	// extra was read beyond the request by net/http, which looks that way whether the
	// client is still there.
	extra    []byte
	answered atomic.Bool // net/http waits for the next request
	back     atomic.Bool // the connection is not net/http's any more
}

// Read passes the bytes of one request, and then ends.
func (l *lent) Read(p []byte) (int, error) {
	c := l.clientConn
	if err := c.introduce(); err != nil {
		return 0, err
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case l.back.Load():
		return 0, io.EOF
	case l.answered.Load():
		if l.one.ended && l.one.ready == 0 && !c.over.Load() {
			l.giveBack()
		}
		return 0, io.EOF // else nobody knows where the next request would begin
	case !l.one.ended || l.one.ready > 0:
		return l.one.read(c.read, p)
	}
	n, err := 0, error(nil)
	if held := l.one.held; len(held) > 0 {
		n, l.one.held = copy(p[:1], held), held[1:]
	} else {
		n, err = c.read(p[:1])
	}
	l.extra = append(l.extra, p[:n]...)
	return n, err
}

// giveBack has the fast path go on behind the request.
func (l *lent) giveBack() {
	if l.back.Swap(true) {
		return
	}
	c := l.clientConn
	c.begun.Swap(nil).abandon()
	c.counted.Store(false)
	rest := append(l.extra, l.one.held...)
	c.rest = append(rest, c.rest...)
	_ = c.Conn.SetDeadline(time.Time{})
	l.front.start(c)
}

// Close closes the connection, unless it was given back.
func (l *lent) Close() error {
	if l.back.Load() {
		return nil
	}
	l.clientConn.begun.Swap(nil).abandon()
	return l.clientConn.Close()
}

// SetDeadline, SetReadDeadline and SetWriteDeadline mean nothing once it was given back.

func (l *lent) SetDeadline(t time.Time) error {
	if l.back.Load() {
		return nil
	}
	return l.clientConn.SetDeadline(t)
}

func (l *lent) SetReadDeadline(t time.Time) error {
	if l.back.Load() {
		return nil
	}
	return l.clientConn.SetReadDeadline(t)
}

func (l *lent) SetWriteDeadline(t time.Time) error {
	if l.back.Load() {
		return nil
	}
	return l.clientConn.SetWriteDeadline(t)
}

// noteIdle is told by net/http of each change of a connection's state.
func noteIdle(nc net.Conn, state http.ConnState) {
	if l, ok := nc.(*lent); ok && state == http.StateIdle {
		l.answered.Store(true)
	}
}

// begunOf is what the fast path has begun of a request.
func begunOf(r *http.Request) *begun {
	if c := connOf(r); c != nil && r.ProtoMajor == 1 {
		return c.begun.Swap(nil)
	}
	return nil
}
