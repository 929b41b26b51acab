package lb

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Sizes of the fast path's buffers. A request that is larger, header and body, goes the
// slow path; an answer's body goes through in pieces.
const (
	fastBody   = 8 << 10
	fastAnswer = 64 << 10
)

// fastWork is what a request takes while it is under way. Connections that are idle have
// none, and those that wait for the rest of a request keep what has come of it.
type fastWork struct {
	in     [fastBody]byte
	out    []byte
	answer [fastReserve + fastAnswer]byte
}

var fastWorks = sync.Pool{New: func() any { return &fastWork{out: make([]byte, 0, fastBody+2<<10)} }}

// fastConn is one client's connection on the fast path: one goroutine, which speaks with
// the upstream as well.
type fastConn struct {
	c     *clientConn
	front *front
	from  origin

	raw  syscall.RawConn // nil: it is read with a buffer in hand
	step func(uintptr) bool
	err  error // of step

	w      *fastWork // nil while nothing is to be done
	have   int       // bytes of a request, in w.in or
	parked []byte    // here, while there is no w
	r      plainRequest
	doing  doing

	emptied bool      // the last read had room for more than there was
	hurried bool      // there is a deadline for the rest of a body
	rested  bool      // a request was answered, and nothing of the next one is here
	now     time.Time // when the last answer ended
	blind   bool      // it waits, and has not looked whether the client is still there

	// How it ends. What reads the connection must have returned by then.
	leave bool // it is lent
	begun *begun
	shut  bool // it is closed
	torn  bool // without a goodbye: an answer was cut off, or the client takes nothing
}

// errClosing is that the balancer stops.
var errClosing = errors.New("the balancer closes idle connections")

const (
	// bodyPatience is how long the fast path waits for the rest of a small body.
	bodyPatience = time.Second
	// blindFor is when one that waits blindly looks after all.
	blindFor = 500 * time.Millisecond
)

// serve answers requests until the connection ends or is lent.
func (f *fastConn) serve() {
	defer f.front.forget(f)
	defer f.drop()
	defer f.c.b.rescue(f.c, f.undo)
	if f.c.introduce() != nil {
		f.giveAway() // to be refused
		return
	}
	proto := "http"
	if f.c.tls != nil {
		proto = "https"
	}
	f.from = newOrigin(clientOf(f.c.RemoteAddr().String()), proto)
	if s, ok := f.c.Conn.(syscall.Conn); ok && directReads {
		f.raw, _ = s.SyscallConn()
		f.step = f.direct
	}
	goesOn := f.advance()
	for goesOn {
		err := f.read()
		switch {
		case f.leave || f.shut:
			goesOn = false
		case err == nil:
			goesOn = f.advance()
		case f.blind && errors.Is(err, os.ErrDeadlineExceeded) && !f.front.closing.Load():
			f.blind = false
			f.until(time.Now(), f.c.b.cfg.Limits.IdleTimeout)
		case f.have > 0 && (f.r.headed || !errors.Is(err, os.ErrDeadlineExceeded)):
			f.leave = true // for the right answer to half a request
			goesOn = false
		default:
			f.shut = true
			goesOn = false
		}
	}
	switch {
	case f.leave:
		f.giveAway()
	case f.torn:
		_ = f.c.cut()
	default:
		_ = f.c.Close()
	}
}

// advance answers what requests have come. It tells whether more is to be read.
func (f *fastConn) advance() bool {
	for {
		if len(f.c.rest) > 0 {
			f.take()
			n := copy(f.w.in[f.have:], f.c.rest)
			f.have += n
			f.c.rest = f.c.rest[n:]
			f.emptied = false
		}
		if f.have == 0 {
			return true
		}
		var v fastVerdict
		f.w.out, v = f.r.parse(f.w.in[:f.have], f.w.out[:0], &f.from)
		switch {
		case v == fastMore && f.have < fastBody:
			return true
		case v != fastPlain || f.front.b.draining.Load():
			return f.lend(nil)
		}
		f.c.served()
		if !f.exchange(&f.r) {
			return false
		}
		f.c.partial, f.c.came, f.hurried = false, false, false
		f.c.counted.Store(false) // the next request has yet to be
		f.have = copy(f.w.in[:], f.w.in[f.r.size:f.have])
		f.rested = f.have == 0
	}
}

// await sets the deadline for what is to come.
func (f *fastConn) await() error {
	l, now := &f.c.b.cfg.Limits, f.now
	if !f.blind {
		now = time.Now()
	}
	begun := f.have > 0 || f.c.came
	switch {
	case f.have > 0 && f.r.headed && f.hurried:
	case f.have > 0 && f.r.headed:
		f.hurried = true // one deadline for all of a body
		f.until(now, min(bodyPatience, max(l.BodyTimeout, 0)))
	case begun && !f.c.partial:
		f.c.partial = true // one deadline for all of a header
		f.until(now, l.HeaderTimeout)
	case begun:
	case f.c.fresh.Load():
		f.until(now, l.HeaderTimeout)
	case f.blind:
		f.until(now, blindFor)
	default:
		f.until(now, l.IdleTimeout)
	}
	if f.front.closing.Load() && f.have == 0 {
		return errClosing
	}
	return nil
}

func (f *fastConn) until(now time.Time, patience time.Duration) {
	var t time.Time
	if patience > 0 {
		t = now.Add(patience)
	}
	_ = f.c.Conn.SetReadDeadline(t)
}

// read waits for bytes, and reads them. Where that can be had, it answers them too, and
// holds no buffer while nothing is here.
func (f *fastConn) read() error {
	if f.raw != nil {
		f.err = nil
		if err := f.raw.Read(f.step); err != nil {
			return err
		}
		return f.err
	}
	if err := f.await(); err != nil {
		return err
	}
	f.take()
	n, err := f.c.read(f.w.in[f.have:])
	f.have += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// take has buffers.
func (f *fastConn) take() {
	if f.w == nil {
		f.w = fastWorks.Get().(*fastWork)
		f.parked = f.parked[:copy(f.w.in[:], f.parked)]
	}
}

// park gives them back for as long as nothing comes, and keeps what there is of a request:
// a client that lets it dribble in holds no more than that.
func (f *fastConn) park() {
	if f.have > 0 {
		f.parked = append(f.parked[:0], f.w.in[:f.have]...)
	}
	f.drop()
}

// drop gives the buffers back.
func (f *fastConn) drop() {
	if f.have == 0 {
		f.parked = nil
	}
	if f.w != nil {
		if cap(f.w.out) > 2*fastBody {
			f.w.out = nil
		}
		fastWorks.Put(f.w)
		f.w = nil
	}
}

// lend leaves the connection to net/http for the request that has come, as far as it has,
// with the attempt at it that was begun, if there is one.
func (f *fastConn) lend(bg *begun) bool {
	f.leave, f.begun = true, bg
	return false
}

// giveAway does so.
func (f *fastConn) giveAway() {
	c := f.c
	if f.have > 0 {
		f.take()
		c.rest = append(append([]byte(nil), f.w.in[:f.have]...), c.rest...)
	}
	c.begun.Store(f.begun)
	c.partial, c.came = false, false
	if !c.fresh.Swap(true) {
		c.g.fresh.Add(1) // whoever stops waits for its handler
	}
	f.front.forget(f) // else a drain that begins now would end the request as if it were idle
	_ = c.Conn.SetDeadline(time.Time{})
	c.b.lent.Add(1)
	f.drop()
	f.front.lend(&lent{clientConn: c, front: f.front, one: strict{one: true}})
}
