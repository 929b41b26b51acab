package lb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Why there is no answer of an upstream.
var (
	errShed       = errors.New("every upstream has as much to do as it can")
	errNoUpstream = errors.New("no upstream can be reached")
	errUnknown    = errors.New("the upstream has the request and does not answer: whether it was carried out is not known")
)

// call is one request of a client.
type call struct {
	b          *Balancer
	msg        message
	class      class
	idempotent bool // may be sent again: GET, HEAD, OPTIONS, without a body
	tried      []*member
	anew       bool   // those tried may be tried again
	begun      *begun // the first attempt, if the fast path has made it; nil once it is looked at
}

// RoundTrip sends a request to an upstream, and again to another one where that is
// harmless. It is the transport of the reverse proxy.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	cl := &call{b: b, class: classOf(r), begun: begunOf(r)}
	if cl.begun == nil {
		b.budget.earn()
	}
	if err := cl.prepare(r); err != nil {
		cl.begun.abandon()
		return nil, err
	}
	if cl.idempotent {
		return cl.hedged()
	}
	resp, f := cl.attempts(nil)
	return resp, asError(f)
}

func asError(f *failure) error {
	if f == nil {
		return nil
	}
	return f
}

// prepare writes the header, and reads a small body.
func (cl *call) prepare(r *http.Request) (err error) {
	cl.msg.r = r
	if cl.msg.head, err = appendHead(make([]byte, 0, 1024), r); err != nil {
		return &failure{err: err, body: true}
	}
	if r.Body == nil || r.Body == http.NoBody {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			cl.idempotent = r.Header.Get("Upgrade") == ""
		}
		return nil
	}
	cl.msg.await = r.Header.Get("Expect") != ""
	if n := r.ContentLength; n < 0 || n > smallBody || cl.msg.await {
		cl.msg.body = r.Body
		return nil
	}
	at := len(cl.msg.head)
	cl.msg.head = append(cl.msg.head, make([]byte, r.ContentLength)...)
	if _, err := io.ReadFull(r.Body, cl.msg.head[at:]); err != nil {
		return &failure{err: errors.Join(errClientBody, err), body: true}
	}
	return nil
}

// attempts sends the message until it is answered, or must not be sent again. started
// is told of each connection that is used.
func (cl *call) attempts(started func(*upconn) bool) (*http.Response, *failure) {
	var last *failure
	for n := 0; ; n++ {
		if bg := cl.begun; bg != nil {
			cl.begun = nil
			cl.tried = append(cl.tried, bg.m)
			resp, f := cl.resume(bg, started)
			if f == nil {
				return resp, nil
			}
			if !cl.again(f) {
				return nil, cl.final(f)
			}
			last = f
			continue
		}
		m, f := cl.place()
		if last != nil && last.reused && f != nil && !cl.anew {
			// There is no other, and it may just have closed what was idle.
			cl.anew, cl.tried = true, nil
			m, f = cl.place()
		}
		if f != nil {
			if last != nil && errors.Is(f.err, errNoUpstream) {
				return nil, last
			}
			return nil, f
		}
		cl.tried = append(cl.tried, m)
		if n > 0 {
			m.retried.Add(1)
		}
		resp, f := cl.attempt(m, started)
		if f == nil {
			return resp, nil
		}
		if !cl.again(f) {
			return nil, cl.final(f)
		}
		last = f
	}
}

// final is a failure after which nothing is tried any more.
func (cl *call) final(f *failure) *failure {
	if f.sent && !cl.idempotent && !f.body {
		f.err = errors.Join(errUnknown, f.err)
	}
	return f
}

// again decides whether the message is sent once more after a failure.
func (cl *call) again(f *failure) bool {
	ctx := cl.msg.r.Context()
	if ctx.Err() != nil || f.body || f.sent && !cl.idempotent || errors.Is(f.err, errLost) {
		return false
	}
	if !cl.b.budget.spend() {
		return false
	}
	cl.b.retries.Add(1)
	return true
}

// place finds an upstream with a place for the request, waiting for one if need be.
func (cl *call) place() (*member, *failure) {
	b, ctx := cl.b, cl.msg.r.Context()
	var until time.Time
	for {
		now := time.Now()
		// Whoever comes while others wait, waits behind them.
		if until.IsZero() && cl.class != always && b.queue.Length() > 0 && len(cl.tried) == 0 {
			until = now.Add(b.patience())
		} else {
			m, full := b.pick(cl.tried, cl.class, now)
			if m != nil {
				return m, nil
			}
			if !full {
				return nil, &failure{err: errNoUpstream}
			}
			if until.IsZero() {
				until = now.Add(b.patience())
			}
		}
		if !b.queue.Wait(ctx, cl.class, until.Sub(now)) {
			if ctx.Err() != nil {
				return nil, &failure{err: context.Cause(ctx)}
			}
			b.shed.Add(1)
			return nil, &failure{err: errShed}
		}
	}
}

// patience is how long a request may wait for a place.
func (b *Balancer) patience() time.Duration {
	longest := 5 * time.Millisecond
	for _, c := range b.roster.Load().usable {
		longest = max(longest, time.Duration(c.m.patienceNow.Load()))
	}
	return min(longest, b.cfg.Limits.QueueTimeout)
}

// attempt sends the message to m, where a place is taken already.
func (cl *call) attempt(m *member, started func(*upconn) bool) (*http.Response, *failure) {
	ctx := cl.msg.r.Context()
	m.enter()
	bg := &begun{m: m, at: time.Now()}
	var err error
	l := lookAlways
	if cl.idempotent {
		l = lookIfOld
	}
	if bg.c, err = m.get(ctx, l); err != nil {
		bg.leave()
		m.inflight.Add(-1)
		if ctx.Err() != nil {
			return nil, &failure{err: context.Cause(ctx)}
		}
		m.undialed()
		return nil, &failure{err: err}
	}
	return cl.carry(bg, started, false)
}

// resume goes on with an attempt that the fast path has begun.
func (cl *call) resume(bg *begun, started func(*upconn) bool) (*http.Response, *failure) {
	if bg.failure != nil {
		return nil, bg.failure
	}
	return cl.carry(bg, started, true)
}

// carry makes the exchange over the connection of bg, or the rest of it if the message was
// sent.
func (cl *call) carry(bg *begun, started func(*upconn) bool, sent bool) (*http.Response, *failure) {
	b, ctx, m, c := cl.b, cl.msg.r.Context(), bg.m, bg.c
	seat := &seat{m: m}
	c.watch(ctx)
	if started != nil && !started(c) {
		c.abort(errLost)
	}
	var resp *http.Response
	var f *failure
	if sent {
		s := &sending{}
		s.done.Store(true)
		resp, f = c.receive(&cl.msg, s, seat.leave)
	} else {
		resp, f = c.exchange(&cl.msg, seat.leave)
	}
	bg.leave()
	now := time.Now()
	took := now.Sub(bg.at)
	if f != nil {
		seat.leave()
		lost := errors.Is(f.err, errLost)
		if (lost || ctx.Err() != nil) && !c.heard.Load() {
			m.owes(f.asked)
		}
		if lost {
			m.latency.atLeast(took, now, b.roster.Load().typical) // it took as long at least
		} else if ctx.Err() == nil {
			m.blame(f)
		}
		return nil, f
	}
	if v := resp.Header[HeaderLoad]; v != nil {
		delete(resp.Header, HeaderLoad)
		m.load.take(v[0], now)
	}
	if streams(resp) {
		seat.stream()
		b.endable(resp, c)
	}
	m.answered(resp.StatusCode, resp.Header.Get("Retry-After") != "", took, now)
	return resp, nil
}

// seat is a request's part in what its upstream is counted to work on.
type seat struct {
	m  *member
	at atomic.Int32 // in flight, a stream, left
}

// stream counts it as a stream from now on.
func (s *seat) stream() {
	if s.at.CompareAndSwap(0, 1) {
		s.m.inflight.Add(-1)
		s.m.streams.Add(1)
	}
}

func (s *seat) leave() {
	switch s.at.Swap(2) {
	case 0:
		s.m.inflight.Add(-1)
	case 1:
		s.m.streams.Add(-1)
	}
}

// streams tells whether an answer goes on for as long as somebody listens: it is no
// measure of how busy the upstream is.
func streams(resp *http.Response) bool {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return true
	}
	t := resp.Header.Get("Content-Type")
	return len(t) >= len(eventStream) && t[:len(eventStream)] == eventStream
}

const eventStream = "text/event-stream"
