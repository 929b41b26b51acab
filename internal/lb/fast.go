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
// none.
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

	raw   syscall.RawConn // nil: it can only be read with a buffer
	ready func(uintptr) bool
	err   error // of ready

	w    *fastWork // nil while nothing of a request has come
	have int       // bytes of w.in
}

// errClosing is that the balancer stops.
var errClosing = errors.New("the balancer closes idle connections")

// bodyPatience is how long the fast path waits for the rest of a small body.
const bodyPatience = time.Second

// serve answers requests until the connection ends or is lent.
func (f *fastConn) serve() {
	defer f.front.forget(f)
	defer f.drop()
	if f.c.introduce() != nil {
		f.lend(nil) // to be refused
		return
	}
	f.from = newOrigin(clientOf(f.c.RemoteAddr().String()), "http")
	if s, ok := f.c.Conn.(syscall.Conn); ok {
		f.raw, _ = s.SyscallConn()
		f.ready = f.fill
	}
	var r plainRequest
	for {
		v := fastMore
		if f.have > 0 {
			f.w.out, v = r.parse(f.w.in[:f.have], f.w.out[:0], &f.from)
		}
		if v == fastMore {
			if f.have == fastBody {
				f.lend(nil)
				return
			}
			if err := f.await(&r); err == nil {
				continue
			} else if f.have > 0 && (r.headed || !errors.Is(err, os.ErrDeadlineExceeded)) {
				f.lend(nil) // for the right answer to half a request
				return
			}
			f.c.Close()
			return
		}
		if v == fastStrange || f.front.b.draining.Load() {
			f.lend(nil)
			return
		}
		f.c.served()
		if !f.exchange(&r) {
			return
		}
		f.c.partial = false
		f.have = copy(f.w.in[:], f.w.in[r.size:f.have])
		if f.have == 0 {
			f.drop()
		}
	}
}

// await waits for more of a request, or of the next one, as long as clients may take.
func (f *fastConn) await(r *plainRequest) error {
	if len(f.c.rest) > 0 {
		f.take()
		n := copy(f.w.in[f.have:], f.c.rest)
		f.have += n
		f.c.rest = f.c.rest[n:]
		return nil
	}
	l, now := f.c.b.cfg.Limits, time.Now()
	switch {
	case f.have > 0 && r.headed:
		f.until(now, min(bodyPatience, max(l.BodyTimeout, 0)))
	case f.have > 0 && !f.c.partial:
		f.c.partial = true // one deadline for all of a header
		f.until(now, l.HeaderTimeout)
	case f.have > 0:
	case f.c.fresh.Load():
		f.until(now, l.HeaderTimeout)
	default:
		f.until(now, l.IdleTimeout)
	}
	if f.front.closing.Load() && f.have == 0 {
		return errClosing
	}
	return f.read()
}

func (f *fastConn) until(now time.Time, patience time.Duration) {
	var t time.Time
	if patience > 0 {
		t = now.Add(patience)
	}
	_ = f.c.Conn.SetReadDeadline(t)
}

// read waits for bytes. Where that can be had, no buffer is held meanwhile.
func (f *fastConn) read() error {
	if f.raw != nil {
		f.err = nil
		if err := f.raw.Read(f.ready); err != nil {
			return err
		}
		return f.err
	}
	f.take()
	n, err := f.c.Conn.Read(f.w.in[f.have:])
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
	}
}

// drop gives the buffers back.
func (f *fastConn) drop() {
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
func (f *fastConn) lend(bg *begun) {
	c := f.c
	if f.have > 0 {
		c.rest = append(append([]byte(nil), f.w.in[:f.have]...), c.rest...)
	}
	c.begun.Store(bg)
	c.partial = false
	if !c.fresh.Swap(true) {
		c.g.fresh.Add(1) // whoever stops waits for its handler
	}
	_ = c.Conn.SetDeadline(time.Time{})
	c.b.lent.Add(1)
	f.drop()
	f.front.lend(&lent{clientConn: c, front: f.front, one: strict{one: true}})
}
