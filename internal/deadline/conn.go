package deadline

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn keeps its deadlines itself.
type conn struct {
	net.Conn
	l           *listener
	read, write limit
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.read.to(t, c.l) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.write.to(t, c.l) }

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *conn) Close() error {
	c.l.forget(c)
	return c.Conn.Close()
}

// fast is what a TCP connection can do besides: files are sent without being copied
// through the process, and one that says nothing is waited for without a buffer.
type fast interface {
	io.ReaderFrom
	syscall.Conn
	CloseWrite() error
}

type fastConn struct {
	*conn
	fast
}

// limit is one deadline.
type limit struct {
	at atomic.Int64 // UnixNano; 0: none; over: it has taken effect

	mu  sync.Mutex // held while set is called, and at goes to or from over
	set func(time.Time) error
}

const over = -1

// past is a deadline that has been missed.
var past = time.Unix(1, 0)

func (d *limit) to(t time.Time, l *listener) error {
	at := int64(0)
	if !t.IsZero() {
		if at = t.UnixNano(); at <= l.now.Load() {
			return d.pass()
		}
	}
	for {
		old := d.at.Load()
		if old == over {
			return d.lift(at)
		}
		if d.at.CompareAndSwap(old, at) {
			return nil
		}
	}
}

// pass has the deadline take effect.
func (d *limit) pass() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at.Store(over)
	return d.set(past)
}

// lift puts another one in the place of one that has taken effect.
func (d *limit) lift(at int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at.Store(at)
	return d.set(time.Time{})
}

// look ends what waits, if the time is over. Who sets another deadline at this very
// moment wins.
func (d *limit) look(now int64) {
	at := d.at.Load()
	if at <= 0 || at > now {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at.CompareAndSwap(at, over) {
		_ = d.set(past) // the connection may be closed
	}
}
