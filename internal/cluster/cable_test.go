package cluster

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// cable is a connection in memory whose ends can be frozen, cut off silently, or torn.
type cable struct {
	mu    sync.Mutex
	cond  *sync.Cond
	buf   [2][]byte // what end i has to read
	ended [2]bool   // end i has closed
	still [2]bool   // end i is frozen: it neither sends nor receives
	mute  bool      // nothing gets through, and nobody is told
}

func newCable() (a, b *cableEnd) {
	c := new(cable)
	c.cond = sync.NewCond(&c.mu)
	return &cableEnd{c: c, i: 0}, &cableEnd{c: c, i: 1}
}

func (c *cable) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	c.cond.Broadcast()
}

// tear ends it for both.
func (c *cable) tear() { c.set(func() { c.ended = [2]bool{true, true} }) }

type cableEnd struct {
	c     *cable
	i     int
	limit [2]time.Time // of reading, of writing
	node  *machine     // whose it is
	life  *life
}

// cableSpace is how much lies in a cable at most.
const cableSpace = 256 << 10

func (e *cableEnd) Read(b []byte) (int, error) {
	c := e.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		stuck := c.still[0] || c.still[1] || c.mute
		switch {
		case c.ended[e.i]:
			return 0, net.ErrClosed
		case e.over(0):
			return 0, os.ErrDeadlineExceeded
		case !stuck && len(c.buf[e.i]) > 0:
			n := copy(b, c.buf[e.i])
			c.buf[e.i] = c.buf[e.i][n:]
			c.cond.Broadcast()
			return n, nil
		case !stuck && c.ended[1-e.i]:
			return 0, io.EOF
		}
		c.cond.Wait()
	}
}

func (e *cableEnd) Write(b []byte) (int, error) {
	c := e.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.ended[e.i] || c.ended[1-e.i] && !c.mute && !c.still[1-e.i]:
			return 0, net.ErrClosed
		case e.over(1):
			return 0, os.ErrDeadlineExceeded
		case !c.still[e.i] && len(c.buf[1-e.i]) < cableSpace:
			c.buf[1-e.i] = append(c.buf[1-e.i], b...)
			c.cond.Broadcast()
			return len(b), nil
		}
		c.cond.Wait()
	}
}

func (e *cableEnd) over(i int) bool {
	// A frozen process looks at no clock.
	return !e.c.still[e.i] && !e.limit[i].IsZero() && !time.Now().Before(e.limit[i])
}

func (e *cableEnd) Close() error {
	e.c.set(func() { e.c.ended[e.i] = true })
	return nil
}

func (e *cableEnd) setLimit(i int, t time.Time) error {
	e.c.set(func() { e.limit[i] = t })
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { e.c.set(func() {}) })
	}
	return nil
}

func (e *cableEnd) SetReadDeadline(t time.Time) error  { return e.setLimit(0, t) }
func (e *cableEnd) SetWriteDeadline(t time.Time) error { return e.setLimit(1, t) }
func (e *cableEnd) SetDeadline(t time.Time) error {
	_ = e.setLimit(0, t)
	return e.setLimit(1, t)
}
func (e *cableEnd) LocalAddr() net.Addr  { return nil }
func (e *cableEnd) RemoteAddr() net.Addr { return nil }
