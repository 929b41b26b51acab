package deadline

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// sweepEvery is how often deadlines are looked at: half of what they may be late by.
const sweepEvery = 500 * time.Millisecond

// Listener accepts connections of l. No deadline of theirs takes effect before it is
// due, nor more than a second after. Closing it does not close them.
func Listener(l net.Listener) net.Listener {
	s := &listener{Listener: l, conns: map[*conn]struct{}{}}
	s.now.Store(time.Now().UnixNano())
	return s
}

type listener struct {
	net.Listener
	now atomic.Int64 // of the last sweep: UnixNano

	mu    sync.Mutex
	conns map[*conn]struct{}
	sweep *time.Timer // nil while there are no connections
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.keep(c), nil
}

func (l *listener) keep(c net.Conn) net.Conn {
	k := &conn{Conn: c, l: l}
	k.read.set, k.write.set = c.SetReadDeadline, c.SetWriteDeadline
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[k] = struct{}{}
	if l.sweep == nil {
		l.now.Store(time.Now().UnixNano())
		l.sweep = time.AfterFunc(sweepEvery, l.look)
	}
	if f, ok := c.(fast); ok {
		return &fastConn{k, f}
	}
	return k
}

// forget is called by a connection that was closed.
func (l *listener) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// look ends what is over. It goes on as long as there are connections.
func (l *listener) look() {
	now := time.Now().UnixNano()
	l.now.Store(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.read.look(now)
		c.write.look(now)
	}
	if len(l.conns) == 0 {
		l.sweep = nil
		return
	}
	l.sweep.Reset(sweepEvery)
}
