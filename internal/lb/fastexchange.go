package lb

import (
	"errors"
	"io"
	"os"
	"time"
)

var errNoAnswer = errors.New("the upstream closed the connection without an answer")

// doing is what an exchange under way has taken, for when it ends by a panic.
type doing struct {
	m    *member // nil: none is under way
	c    *upconn
	held bool // its place, until the answer's header is there
}

// undo gives it back.
func (f *fastConn) undo() {
	d := f.doing
	f.w = nil // for nobody else
	f.c.begun.Swap(nil).abandon()
	if d.m == nil {
		return
	}
	if d.held {
		(&begun{m: d.m}).leave()
	}
	if d.c != nil {
		d.m.drop(d.c)
	}
	d.m.inflight.Add(-1)
}

// exchange passes a request on and its answer back. What cannot go on here is lent, with
// what was begun of it. It tells whether the next request can be read.
func (f *fastConn) exchange(r *plainRequest) bool {
	b, now := f.c.b, time.Now()
	if !b.clients.requested(f.c.addr, now) {
		return f.lend(nil)
	}
	f.c.counted.Store(b.clients.rate > 0)
	if r.class != always && b.queue.Length() > 0 {
		return f.lend(nil) // to wait behind the others
	}
	m, _ := b.pick(nil, r.class, now)
	if m == nil {
		return f.lend(nil)
	}
	b.budget.earn()
	b.inflight.Add(1)
	defer b.inflight.Add(-1)
	m.enter()
	f.doing = doing{m: m, held: true}
	bg := begun{m: m, at: now}
	n, fail := f.ask(&bg)
	if fail != nil {
		return f.failed(bg, fail)
	}
	c := bg.c
	var a fastBodyOf
	have, v, now, err := f.header(&a, bg, n, r.noBody)
	switch {
	case v == fastPlain:
	case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		c.waited()
		f.doing = doing{}
		c.ahead = append([]byte(nil), f.w.answer[fastReserve:fastReserve+have]...)
		return f.lend(&begun{m: m, c: c, at: bg.at})
	default:
		return f.failed(bg, f.broken(&bg, err))
	}
	c.asked.Store(answered)
	if a.load >= 0 {
		m.load.set(a.load, now)
	}
	m.answered(a.status, a.later, now.Sub(bg.at), now)
	bg.leave()
	f.doing.held = false
	return f.pass(&a, c, have, now)
}

// ask sends the request over a connection that is sound, and reads the first bytes of the
// answer if they are there by then.
func (f *fastConn) ask(bg *begun) (n int, fail *failure) {
	m := bg.m
	for {
		c, err := m.get(f.front.ctx, lookLater)
		if err != nil {
			if f.front.ctx.Err() == nil {
				m.undialed()
			}
			return 0, &failure{err: err}
		}
		bg.c, f.doing.c = c, c
		since := bg.at
		if !c.reused {
			since = time.Now()
		}
		c.unwatch = nil
		c.begin()
		c.waits(waitHead, since)
		c.asked.Store(since.UnixNano())
		if n, err = f.send(c); err == errUnsound && c.reused {
			c.waited()
			m.drop(c)
		} else if err != nil {
			return 0, f.broken(bg, err)
		} else {
			return n, nil
		}
	}
}

// send sends the request over c, if that is sound.
func (f *fastConn) send(c *upconn) (n int, err error) {
	out := f.w.out
	for c.direct != nil {
		var wrote int
		wrote, n, err = c.direct.ask(out, f.w.answer[fastReserve:])
		c.wrote.Add(int64(wrote))
		out = out[wrote:]
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		err = nil
		if wrote > 0 {
			break
		}
		c.waits(waitHead, time.Now()) // poked before it was begun
	}
	if err == nil && len(out) > 0 {
		_, err = c.Write(out)
	}
	return n, err
}

// broken ends an attempt whose connection has failed.
func (f *fastConn) broken(bg *begun, err error) *failure {
	if err == io.EOF || err == errUnsound { // a new one: the next would fare no better
		err = errNoAnswer
	}
	bg.c.waited()
	fail := bg.c.failed(err, false)
	bg.m.blame(fail)
	return fail
}

// failed leaves it to the slow path what is to become of a request after a failure.
func (f *fastConn) failed(bg begun, fail *failure) bool {
	f.doing = doing{}
	bg.leave()
	bg.m.inflight.Add(-1)
	return f.lend(&begun{m: bg.m, at: bg.at, failure: fail})
}

// fastBodyOf is an answer on its way.
type fastBodyOf struct {
	plainAnswer
	chunks strict // the framing of a body in chunks
	first  int    // bytes of the body that came with the header and may pass
	over   bool   // nothing of the body is missing
	more   bool   // something came behind its end
}

// header reads the header of an answer, of which n bytes are there, and what comes of the
// body with it.
func (f *fastConn) header(a *fastBodyOf, bg begun, n int, head bool) (have int, v fastVerdict, now time.Time, err error) {
	buf := f.w.answer[fastReserve:]
	for ; have < len(buf); n = 0 {
		var err error
		if n == 0 {
			n, err = bg.c.nc.Read(buf[have:])
		}
		now = time.Now()
		if n > 0 {
			have += n
			if !bg.c.heard.Load() {
				bg.c.heard.Store(true)
			}
			bg.m.spoke(now)
			if v := a.parse(buf[:have], head); v == fastStrange || v == fastPlain && !a.begin(buf[a.head:have]) {
				return have, fastStrange, now, nil
			} else if v == fastPlain {
				return have, v, now, nil
			}
		}
		if err != nil {
			return have, fastMore, now, err
		}
	}
	return have, fastStrange, now, nil
}

// begin looks at what has come of the body, and tells whether it is framed as it should be.
func (a *fastBodyOf) begin(b []byte) bool {
	if a.length < 0 {
		a.chunks = strict{in: inSize, one: true, fields: true}
		a.first = a.chunks.look(b)
		a.over = a.chunks.ended
		a.more = a.over && a.first < len(b)
		return a.chunks.in != refused
	}
	a.first = int(min(a.length, int64(len(b))))
	a.over, a.more = a.length <= int64(len(b)), a.length < int64(len(b))
	return true
}

// pass passes an answer to the client, of which have bytes have come.
func (f *fastConn) pass(a *fastBodyOf, c *upconn, have int, now time.Time) bool {
	buf := f.w.answer[:]
	end := fastReserve + a.head + a.first
	from := a.edit(buf, fastReserve)
	if a.over {
		f.done(a, c, now)
		return f.write(buf[from:end])
	}
	c.waits(waitBody, now)
	if !f.write(buf[from:end]) {
		return f.cut(c)
	}
	left := a.length - int64(a.first)
	rest := copy(buf, buf[end:fastReserve+have]) // the beginning of a chunk's line
	for !a.over {
		n, err := c.nc.Read(buf[rest:])
		now = time.Now()
		if n > 0 {
			c.m.spoke(now)
			pass := rest + n
			if a.length < 0 {
				pass = a.chunks.look(buf[:rest+n])
				a.over, a.more = a.chunks.ended, a.chunks.ended && pass < rest+n
				if a.chunks.in == refused || rest+n == len(buf) && pass == 0 {
					return f.cut(c)
				}
			} else {
				pass = int(min(left, int64(n)))
				left -= int64(pass)
				a.over, a.more = left == 0, pass < n
			}
			if a.over {
				f.done(a, c, now)
				return f.write(buf[:pass])
			}
			if pass > 0 && !f.write(buf[:pass]) {
				return f.cut(c)
			}
			rest = copy(buf, buf[pass:rest+n])
		}
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) || f.gone() {
				return f.cut(c)
			}
			c.waits(waitBody, now)
		}
	}
	return true
}

// done gives the connection back after the end of an answer, if nothing is left over.
func (f *fastConn) done(a *fastBodyOf, c *upconn, now time.Time) {
	f.doing, f.now = doing{}, now
	if c.waited() && !a.close && !a.more {
		c.m.putAt(c, now)
	} else {
		c.m.drop(c)
	}
	c.m.inflight.Add(-1)
	f.c.b.passed.Add(1)
}

// cut ends an exchange in the middle of its answer: the client must not take it for whole.
func (f *fastConn) cut(c *upconn) bool {
	f.doing = doing{}
	c.waited()
	c.m.drop(c)
	c.m.inflight.Add(-1)
	f.shut, f.torn = true, true
	return false
}

// write writes to the client.
func (f *fastConn) write(p []byte) bool {
	c := f.c
	var err error
	switch {
	case c.tls != nil && !c.atOnce:
		c.hurry()
		_, err = c.tls.Write(p)
	case c.tls != nil:
		_, err = c.tls.Write(p) // by writeNow
	case c.atOnce:
		_, err = c.writeNow(p)
	default:
		_, err = c.writePatiently(p)
	}
	if err != nil {
		f.shut, f.torn = true, true
	}
	return err == nil
}

// writePatiently writes to a client that may take so long and no longer.
func (c *clientConn) writePatiently(p []byte) (int, error) {
	c.hurry()
	return c.Conn.Write(p)
}

func (c *clientConn) hurry() {
	if patience := c.b.cfg.Limits.BodyTimeout; patience > 0 {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(patience))
	}
}
