package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// engine is one run. One thread waits in epoll for whatever connection has an
// answer, reads it, checks it and writes that connection's next request: two
// system calls and no switch of goroutines per request. A goroutine for each
// connection costs two to three times that, and it would be taken from the
// server under test.
type engine struct {
	opt      Options
	addr     unix.SockaddrInet4
	epoll    int
	conns    []conn
	start    time.Time
	inflight int
	stopping bool
	last     time.Duration // time of the last answer since start
	scratch  []byte
	pace     pacer
	res      Result
}

// ErrServerGone is returned when the server no longer accepts connections.
var ErrServerGone = errors.New("server gone")

// Run drives the server as opt says and returns what it measured. Wrong
// answers do not end the run, they are counted; the error is for a run that
// could not be carried out: bad options, a server that accepts no connection
// (wraps [ErrServerGone]), or ctx.
func Run(ctx context.Context, opt Options) (Result, error) {
	if err := opt.validate(); err != nil {
		return Result{}, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e := &engine{opt: opt}
	defer e.closeAll()
	if err := e.open(); err != nil {
		return Result{}, fmt.Errorf("load %s: %w", opt.Addr, err)
	}
	if err := e.loop(ctx); err != nil {
		return e.res, fmt.Errorf("load %s: %w", opt.Addr, err)
	}
	e.res.Elapsed = e.last
	return e.res, nil
}

func (e *engine) open() error {
	ap, err := netip.ParseAddrPort(e.opt.Addr)
	if err != nil || !ap.Addr().Is4() {
		return fmt.Errorf("address must be IPv4:port, as in 127.0.0.1:8090: %w", err)
	}
	e.addr = unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	for range e.opt.Kinds {
		e.res.ByKind = append(e.res.ByKind, NewHistogram())
		e.res.Refused = append(e.res.Refused, NewHistogram())
	}
	if e.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	e.conns = make([]conn, e.opt.Conns)
	for i := range e.conns {
		e.conns[i].id = i
		e.conns[i].fd = -1
		if err := e.dial(&e.conns[i]); err != nil {
			return err
		}
	}
	if e.opt.Rate > 0 {
		return e.openPacer()
	}
	return nil
}

// loop sends and receives until the time is over and every request that was
// sent or due is answered or given up.
func (e *engine) loop(ctx context.Context) error {
	events := make([]unix.EpollEvent, min(len(e.conns)+1, 256))
	e.start = time.Now()
	if err := e.begin(); err != nil {
		return err
	}
	for checked := time.Duration(0); ; {
		n, errno := epollWait(e.epoll, events, 20)
		if errno != 0 && errno != unix.EINTR {
			return fmt.Errorf("epoll: %w", errno)
		}
		now := time.Since(e.start)
		if !e.stopping && (now >= e.opt.Duration || e.opt.Stop != nil && e.opt.Stop.Load()) {
			e.stopping = true
			e.pace.end(now)
		}
		for _, ev := range events[:n] {
			if err := e.dispatch(ev); err != nil {
				return err
			}
		}
		if e.finished() {
			return nil
		}
		if now-checked >= 20*time.Millisecond {
			checked = now
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := e.expire(now); err != nil {
				return err
			}
		}
	}
}

// begin sends the first requests of the closed loop, or starts the clock of
// the open one.
func (e *engine) begin() error {
	if e.opt.Rate > 0 {
		return e.startPacer()
	}
	for i := range e.conns {
		if err := e.send(&e.conns[i], time.Since(e.start)); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) dispatch(ev unix.EpollEvent) error {
	if ev.Fd == timerEvent {
		return e.due()
	}
	c := &e.conns[ev.Fd]
	if ev.Events&unix.EPOLLOUT != 0 {
		if err := e.flush(c); err != nil {
			return err
		}
	}
	if ev.Events&^unix.EPOLLOUT != 0 {
		return e.receive(c)
	}
	return nil
}

// next gives connection c, which is free, its next request if there is one.
func (e *engine) next(c *conn, now time.Duration) error {
	if e.opt.Rate > 0 {
		return e.release(c)
	}
	if e.stopping || e.opt.PerConn > 0 && c.sent >= e.opt.PerConn {
		return nil
	}
	return e.send(c, now)
}

func (e *engine) finished() bool {
	if e.inflight > 0 {
		return false
	}
	if e.opt.Rate > 0 {
		return e.pace.done()
	}
	return e.stopping || e.opt.PerConn > 0
}

// expire gives up requests that have waited longer than the timeout.
func (e *engine) expire(now time.Duration) error {
	for i := range e.conns {
		c := &e.conns[i]
		if c.busy && now-c.written > e.opt.Timeout {
			if err := e.fail(c, fmt.Sprintf("no answer within %v", e.opt.Timeout)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *engine) closeAll() {
	for i := range e.conns {
		if e.conns[i].fd >= 0 {
			unix.Close(e.conns[i].fd)
		}
	}
	if e.pace.fd > 0 {
		unix.Close(e.pace.fd)
	}
	if e.epoll > 0 {
		unix.Close(e.epoll)
	}
}
