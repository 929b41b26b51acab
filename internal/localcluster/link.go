package localcluster

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection through a relay.
type link struct {
	relay   *Relay
	number  int64
	client  *net.TCPConn
	over    chan struct{} // closed by reset
	answers atomic.Bool   // the server spoke last

	mu     sync.Mutex
	server *net.TCPConn
	ended  bool
}

// piece is a chunk on its way, and when it has to arrive at the earliest.
type piece struct {
	buf  *[chunk]byte
	n    int
	from time.Time
}

// chunk is how many bytes are read at once, at most.
const chunk = 32 << 10

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

func (l *link) serve() {
	defer l.reset()
	l.answers.Store(true) // the client's first word is a turn
	w, ok := l.pass(time.Time{})
	if !ok {
		return
	}
	conn, err := net.DialTimeout("tcp", w.target, 5*time.Second)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	l.mu.Lock()
	l.server = server
	ended := l.ended
	l.mu.Unlock()
	if ended {
		_ = server.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(server, l.client, true) })
	both.Go(func() { l.pump(l.client, server, false) })
	both.Wait()
}

// pass waits until what was sent at the given time may go through; false if the
// connection is over before. The weather may change while it waits.
func (l *link) pass(from time.Time) (weather, bool) {
	for {
		w := l.relay.weather()
		var due <-chan time.Time
		if !w.silent {
			left := w.delay - time.Since(from)
			if w.delay == 0 || left <= 0 {
				return w, true
			}
			due = time.After(left)
		}
		select {
		case <-due:
		case <-w.changed:
		case <-l.over:
			return w, false
		}
	}
}

// pump carries one direction: what is read is queued with its time, so that a
// delay is one of distance and not of bandwidth.
func (l *link) pump(to, from *net.TCPConn, up bool) {
	queue := make(chan piece, 1024)
	go func() {
		defer close(queue)
		for {
			buf := chunks.Get().(*[chunk]byte)
			n, err := from.Read(buf[:])
			if n > 0 {
				select {
				case queue <- piece{buf, n, time.Now()}:
				case <-l.over:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range queue {
		w, ok := l.pass(p.from)
		if !ok {
			return
		}
		data := p.buf[:p.n]
		l.count(up, p.n)
		if w.watch != nil && !w.watch(Chunk{l.number, up, data}) {
			l.reset()
			return
		}
		if _, err := to.Write(data); err != nil {
			l.reset()
			return
		}
		if w.watch == nil { // whoever watches may keep what he saw
			chunks.Put(p.buf)
		}
	}
	if _, ok := l.pass(time.Now()); ok {
		_ = to.CloseWrite() // an orderly end is passed on as one
	}
}

func (l *link) count(up bool, n int) {
	if !up {
		l.relay.down.Add(int64(n))
		l.answers.Store(true)
		return
	}
	l.relay.up.Add(int64(n))
	if l.answers.Swap(false) {
		l.relay.turns.Add(1)
	}
}

// reset ends the connection at once, with an RST to both sides.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.over)
	for _, c := range []*net.TCPConn{l.client, l.server} {
		if c != nil {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}
	l.relay.mu.Lock()
	delete(l.relay.conns, l)
	l.relay.mu.Unlock()
}
