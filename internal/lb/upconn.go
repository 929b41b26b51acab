package lb

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxAnswerHeader is what the header of an upstream's answer may take.
const maxAnswerHeader = 256 << 10

var errAnswerHeader = errors.New("the header of the answer is larger than 256 KB")

// upconn is one connection to an upstream. It carries one exchange at a time, and is
// used by one goroutine, but for abort and, while a request is sent, for its writer.
type upconn struct {
	m  *member
	nc net.Conn
	br *bufio.Reader

	direct *direct // how the fast path asks over it; nil: as over any connection

	reused    bool      // it has carried an exchange before
	idleSince time.Time // when it was put into the pool
	headLeft  int       // bytes that the answer's header may still take; below 0: no bound
	wrote     atomic.Int64
	heard     atomic.Bool  // a byte of the present answer has come
	asked     atomic.Int64 // when the request was wholly sent, in Unix ns; 0: not yet; answered
	unwatch   func() bool

	ahead []byte // what the fast path has read of the present answer, and left to br

	mu    sync.Mutex // guards what follows
	cause error      // why it was aborted
	turn  uint64     // exchanges that are over
	// Of the fast path, which waits without a timer: see poke.
	wait  waitFor
	since time.Time // when it began to wait, or was poked last
	poked bool
}

// answered is the value of asked once the answer's header is there.
const answered = -1

func newUpconn(m *member, nc net.Conn) *upconn {
	c := &upconn{m: m, nc: nc}
	c.br = bufio.NewReaderSize(c, 4<<10)
	c.direct = newDirect(nc)
	return c
}

// Read counts what an answer's header takes, and notes that the upstream speaks.
func (c *upconn) Read(p []byte) (int, error) {
	if c.headLeft == 0 {
		return 0, errAnswerHeader
	}
	if c.headLeft > 0 && len(p) > c.headLeft {
		p = p[:c.headLeft]
	}
	var n int
	var err error
	if len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		c.ahead = c.ahead[n:]
	} else {
		n, err = c.nc.Read(p)
	}
	if n > 0 {
		if c.headLeft > 0 {
			c.headLeft -= n
		}
		if !c.heard.Load() {
			c.heard.Store(true)
		}
		c.m.spoke(time.Now())
	}
	return n, err
}

func (c *upconn) Write(p []byte) (int, error) {
	n, err := c.nc.Write(p)
	c.wrote.Add(int64(n))
	return n, err
}

// abort ends whatever waits for the connection. The first cause holds.
func (c *upconn) abort(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	c.nc.Close()
}

// lease is a connection for as long as its present exchange lasts.
type lease struct {
	c    *upconn
	turn uint64
}

func (c *upconn) lease() lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	return lease{c, c.turn}
}

// abort aborts the exchange, if it is not over: then the connection may be another's.
func (l lease) abort(cause error) {
	c := l.c
	if c == nil {
		return
	}
	c.mu.Lock()
	over := c.turn != l.turn
	if !over && c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	if !over {
		c.nc.Close()
	}
}

// why is the cause of an abort, or err.
func (c *upconn) why(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	return err
}

// begin makes it ready for the next exchange.
func (c *upconn) begin() {
	c.headLeft = maxAnswerHeader
	c.wrote.Store(0)
	c.heard.Store(false)
	c.asked.Store(0)
}

// watch aborts c when ctx ends, until release.
func (c *upconn) watch(ctx context.Context) {
	c.unwatch = context.AfterFunc(ctx, func() { c.abort(context.Cause(ctx)) })
}

// release ends the watch, and tells whether nobody has aborted c, or is about to.
func (c *upconn) release() bool {
	if c.unwatch != nil && !c.unwatch() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return false
	}
	c.turn++
	return true
}
