package load

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// timerEvent marks the timer among the epoll events, which otherwise carry the
// number of a connection.
const timerEvent = -1

// pacer holds the schedule of the open loop. Request i is due i/rate after
// the start. A timer descriptor in the epoll set wakes the loop, since the
// timeout of epoll itself counts whole milliseconds.
type pacer struct {
	fd       int
	interval float64 // seconds
	total    int     // requests due in the whole run
	sent     int     // requests sent; the next is due at sent*interval
	free     []*conn
}

func (p *pacer) done() bool { return p.sent >= p.total }

// at is the time at which request i is due.
func (p *pacer) at(i int) time.Duration {
	return time.Duration(float64(i) * p.interval * float64(time.Second))
}

// end takes what would be due after now out of the schedule. What was due
// before is still sent, however late.
func (p *pacer) end(now time.Duration) {
	if p.interval > 0 {
		p.total = max(p.sent, min(p.total, int(now.Seconds()/p.interval)+1))
	}
}

func (e *engine) openPacer() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("timer: %w", err)
	}
	e.pace = pacer{fd: fd, interval: 1 / e.opt.Rate, total: int(e.opt.Duration.Seconds() * e.opt.Rate)}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: timerEvent}
	return unix.EpollCtl(e.epoll, unix.EPOLL_CTL_ADD, fd, &ev)
}

func (e *engine) startPacer() error {
	for i := range e.conns {
		e.pace.free = append(e.pace.free, &e.conns[i])
	}
	return e.due()
}

// due sends every request whose time has come while there are free
// connections, then sets the timer for the next one. A request that finds no
// free connection is sent later, but its latency counts from when it was due.
func (e *engine) due() error {
	var drain [8]byte
	if _, err := unix.Read(e.pace.fd, drain[:]); err != nil && err != unix.EAGAIN {
		return fmt.Errorf("timer: %w", err)
	}
	p := &e.pace
	for len(p.free) > 0 && !p.done() && p.at(p.sent) <= time.Since(e.start) {
		c := p.free[len(p.free)-1]
		p.free = p.free[:len(p.free)-1]
		p.sent++
		if err := e.send(c, p.at(p.sent-1)); err != nil {
			return err
		}
	}
	if p.done() || len(p.free) == 0 {
		return nil // the next free connection looks again
	}
	wait := max(p.at(p.sent)-time.Since(e.start), time.Microsecond)
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(wait.Nanoseconds())}
	return unix.TimerfdSettime(p.fd, 0, &spec, nil)
}

// release takes back a connection that has its answer.
func (e *engine) release(c *conn) error {
	e.pace.free = append(e.pace.free, c)
	return e.due()
}
