package cluster

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// A connection whose other side does not take what it is sent is cut off: whoever
// waits for its acks waits no longer than its lease, and it may come again.
const (
	outboxBytes = 8 << 20
	outboxTime  = time.Second
	joinTime    = 5 * time.Second // for one that joins: nobody waits for it, and it has much to do
)

// outbox is what is to be sent on a connection. Nobody waits for it.
type outbox struct {
	conn net.Conn

	mu     sync.Mutex
	limit  int           // bytes
	bound  time.Duration // for what is written at once
	queue  []letter
	bytes  int
	closed bool
	wake   chan struct{}
}

// letter is a frame in one or two pieces, the second of which may be shared; or an
// index, which is written when its turn comes.
type letter struct {
	head, body []byte
	index      *position.Index
	format     uint8
}

var errSlow = errors.New("cluster: the other side does not take what it is sent")

func newOutbox(c net.Conn) *outbox {
	return &outbox{conn: c, limit: outboxBytes, bound: outboxTime, wake: make(chan struct{}, 1)}
}

// wait says how much, and for how long, the other side may leave lying.
func (o *outbox) wait(limit int, d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limit, o.bound = limit, d
}

// deadline is for what is written now.
func (o *outbox) deadline() {
	o.mu.Lock()
	d := o.bound
	o.mu.Unlock()
	_ = o.conn.SetWriteDeadline(time.Now().Add(d))
}

// put queues a letter. If there are too many already, the connection is closed.
func (o *outbox) put(l letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if o.bytes > o.limit {
		o.closed = true
		_ = o.conn.Close()
	} else {
		o.queue = append(o.queue, l)
		o.bytes += len(l.head) + len(l.body)
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// send queues a message.
func (o *outbox) send(format uint8, m message) { o.put(letter{head: appendFrame(nil, format, m)}) }

// finish has run end once all that is queued was sent.
func (o *outbox) finish() { o.put(letter{}) }

// run sends until the connection ends, which it closes.
func (o *outbox) run() error {
	defer o.conn.Close()
	defer o.close()
	w := bufio.NewWriterSize(o.conn, 64<<10)
	for range o.wake {
		for {
			letters, closed := o.take()
			if closed {
				return errSlow
			}
			if len(letters) == 0 {
				break
			}
			for _, l := range letters {
				if l.head == nil {
					o.deadline()
					return w.Flush()
				}
				if err := o.write(w, l); err != nil {
					return err
				}
			}
		}
		o.deadline()
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return errSlow
}

func (o *outbox) take() (letters []letter, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	letters, o.queue, o.bytes = o.queue, nil, 0
	return letters, o.closed
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.queue = nil
}

// stop ends run.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		_ = o.conn.Close()
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) write(w *bufio.Writer, l letter) error {
	o.deadline()
	if _, err := w.Write(l.head); err != nil {
		return err
	}
	if _, err := w.Write(l.body); err != nil {
		return err
	}
	if l.index == nil {
		return nil
	}
	// The index goes on meanwhile. What is written of a slot is no older than what it
	// was when the snapshot was announced, and newer does no harm: a fact is judged
	// out of date too early.
	const piece = 8 << 10
	all := l.index.Positions()
	for from := 0; from < len(all); from += piece {
		o.deadline()
		part := positions{From: uint32(from), List: all[from:min(from+piece, len(all))]}
		if _, err := w.Write(appendFrame(nil, l.format, part)); err != nil {
			return err
		}
	}
	return nil
}
