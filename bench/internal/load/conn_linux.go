package load

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// conn is one keep-alive connection with at most one request under way.
type conn struct {
	id      int
	fd      int
	busy    bool          // a request is under way
	writing bool          // part of it is still to be written
	sent    int           // requests sent so far
	since   time.Duration // when the request was due; latency counts from here
	written time.Duration // when it was sent; the timeout counts from here
	shot    Shot
	out     []byte // the request
	left    []byte // the part of it that is still to be written
	in      []byte // received bytes of the answer
	parser  Parser
}

// dial connects c. Connections on the loopback interface are immediate, so
// the socket becomes non-blocking only afterwards.
func (e *engine) dial(c *conn) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c.fd, c.busy, c.writing = fd, false, false
	c.in = c.in[:0]
	c.parser.Reset()
	if err := unix.Connect(fd, &e.addr); err != nil {
		return fmt.Errorf("%w: connect: %w", ErrServerGone, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.id)}
	return unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &ev)
}

// redial replaces the connection of c.
func (e *engine) redial(c *conn) error {
	unix.Close(c.fd) // also takes it out of the epoll set
	c.fd = -1
	return e.dial(c)
}

// send asks the script for the next request of c and writes it; due is the
// time from which its latency counts.
func (e *engine) send(c *conn, due time.Duration) error {
	c.out, c.shot = e.opt.Script.Next(c.id, c.out[:0])
	c.busy, c.sent = true, c.sent+1
	c.since = due
	c.written = due
	if e.opt.Rate > 0 {
		c.written = time.Since(e.start)
	}
	c.left = c.out
	e.inflight++
	return e.flush(c)
}

// flush writes what it can of the request and asks epoll to say when there is
// room for more.
func (e *engine) flush(c *conn) error {
	for len(c.left) > 0 {
		n, errno := write(c.fd, c.left)
		switch errno {
		case 0:
			c.left = c.left[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			return e.watch(c, true)
		default:
			return e.fail(c, "write: "+errno.Error())
		}
	}
	if c.writing {
		return e.watch(c, false)
	}
	return nil
}

func (e *engine) watch(c *conn, write bool) error {
	if c.writing == write {
		return nil
	}
	c.writing = write
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.id)}
	if write {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(e.epoll, unix.EPOLL_CTL_MOD, c.fd, &ev)
}

// receive reads once and handles the answer if that made it complete; epoll
// is level-triggered and reports what was left.
func (e *engine) receive(c *conn) error {
	if cap(c.in)-len(c.in) < 4<<10 {
		c.in = append(make([]byte, 0, max(32<<10, 2*cap(c.in))), c.in...)
	}
	n, errno := read(c.fd, c.in[len(c.in):cap(c.in)])
	switch {
	case errno == unix.EINTR || errno == unix.EAGAIN:
		return nil
	case errno != 0:
		return e.fail(c, "read: "+errno.Error())
	case n == 0 && !c.busy:
		e.res.Reconnects++
		return e.redial(c)
	case n == 0:
		return e.fail(c, "connection closed before the answer was complete")
	case !c.busy:
		return e.fail(c, "bytes that nobody asked for")
	}
	e.res.Bytes += int64(n)
	c.in = c.in[:len(c.in)+n]
	length, err := c.parser.Parse(c.in)
	switch {
	case err != nil:
		return e.fail(c, err.Error())
	case length == 0:
		return nil
	case length < len(c.in):
		return e.fail(c, "bytes that nobody asked for")
	}
	return e.complete(c)
}

// complete handles the whole answer in c.in and goes on with the connection's
// next request.
func (e *engine) complete(c *conn) error {
	now := time.Since(e.start)
	e.last = now
	kind := &e.opt.Kinds[c.shot.Kind]
	if status := c.parser.Status(); status == kind.Refused {
		RecordLatency(e.res.Refused[c.shot.Kind], now-c.since)
	} else if why := e.judge(c, kind); why != "" {
		e.count(why)
	} else {
		e.res.Completed++
		RecordLatency(e.res.ByKind[c.shot.Kind], now-c.since)
	}
	closes := c.parser.Close()
	c.busy = false
	c.in = c.in[:0]
	c.parser.Reset()
	e.inflight--
	if closes {
		e.res.Reconnects++
		if err := e.redial(c); err != nil {
			return err
		}
	}
	return e.next(c, now)
}

// judge says what is wrong with the answer, empty when nothing is.
func (e *engine) judge(c *conn, kind *Kind) string {
	if c.parser.Status() == kind.Status && c.shot.Want == nil {
		return ""
	}
	var body []byte
	body, e.scratch = c.parser.Body(c.in, e.scratch)
	switch {
	case c.parser.Status() != kind.Status:
		return fmt.Sprintf("%s: status %d, want %d: %.300s", kind.Name, c.parser.Status(), kind.Status, body)
	case !bytes.Contains(body, c.shot.Want):
		return fmt.Sprintf("%s: answer lacks %q: %.300s", kind.Name, c.shot.Want, body)
	}
	return ""
}

// fail counts an error on c, connects it anew and goes on.
func (e *engine) fail(c *conn, why string) error {
	e.count(why)
	if c.busy {
		e.inflight--
		e.last = time.Since(e.start)
	}
	if err := e.redial(c); err != nil {
		return err
	}
	return e.next(c, time.Since(e.start))
}

func (e *engine) count(why string) {
	e.res.Errors++
	if e.res.Wrong == nil {
		e.res.Wrong = map[string]int{}
	}
	if _, known := e.res.Wrong[why]; known || len(e.res.Wrong) < 100 {
		e.res.Wrong[why]++
	}
	if e.res.FirstError == "" {
		e.res.FirstError = why
	}
}
