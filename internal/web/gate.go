package web

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/overload"
)

// gate lets in as many requests as the server can work on at once, and the others wait
// for a moment, or are refused: with more than can be answered, those that are answered
// are answered soon. Reads and writes have a limit each: writes that all wait for the
// same thing keep nobody from reading. A read that finds no place may be let in without:
// see [gate.mayBeKnown].
//
// A request has its place while it is worked on: from when its body has been read until
// its answer begins. What the client does with its time, what only waits (an event
// stream) and what has a bound of its own (passwords) does not count.
type gate struct {
	limits  [3]overload.Limiter // by kind
	lines   [3]overload.Queue   // who waits
	off     bool
	refused atomic.Int64
	// needed are the last 64 reads that were let in without a place, a bit each: whether
	// they came to need one.
	needed atomic.Uint64
}

// Limits that a server begins with, and does not go below.
const (
	startPerProcessor = 64
	leastAtOnce       = 16
)

// stallBound is how long a request waits at most while nothing is answered: see
// [overload.Limiter.Stalled].
const stallBound = 5 * time.Second

// DefaultOverloadLatency is a latency that nobody minds if it comes to that.
const DefaultOverloadLatency = 250 * time.Millisecond

// init has requests take care at most when there are too many of them; 0: the default,
// below 0: none is refused.
func (g *gate) init(care time.Duration) {
	if care < 0 {
		g.off = true
	}
	if care <= 0 {
		care = DefaultOverloadLatency
	}
	o := overload.Options{Start: int64(max(100, startPerProcessor*runtime.GOMAXPROCS(0))), Least: leastAtOnce, Care: care, Stalls: true}
	g.limits[reads].Init(o)
	g.limits[writes].Init(o)
	for _, in := range []kind{reads, writes} {
		g.lines[in].Idle = g.limits[in].Idle
	}
}

func kindOf(method string) kind {
	if method == http.MethodGet || method == http.MethodHead {
		return reads
	}
	return writes
}

// value is how much of what the server can do it does, from 0 to 1.
func (g *gate) value() float64 { return max(g.limits[reads].Load(), g.limits[writes].Load()) }

// place is a request's part in what is worked on.
type place struct {
	since  time.Time
	in     kind
	asked  bool             // it has had its place, or was refused
	ticket *overload.Ticket // it was let in without one
}

type kind uint8

const (
	nowhere kind = iota
	reads
	writes
)

// errOverload is what those are told who are not let in.
var errOverload = &pando.Error{
	Kind:    pando.KindUnavailable,
	Message: "The server has more to do than it can. Please try again in a moment.",
}

// enter takes a place, if the call is to have one and has had none yet.
func (c *call) enter() error {
	if !c.route.placed || c.place.asked {
		return nil
	}
	c.place.asked = true
	g, in := &c.h.gate, kindOf(c.r.Method)
	if g.lines[in].Length() > 0 || !g.limits[in].Acquire() { // whoever comes while others wait, waits behind them
		if in == reads && g.mayBeKnown(c.r) {
			r := c.r // without the ticket, which is held while its place is taken
			c.place.ticket = overload.NewTicket(func() error {
				if err := c.await(in); err != nil {
					return err
				}
				return c.unchanged(r)
			})
			c.r = r.WithContext(c.place.ticket.With(r.Context()))
			return nil
		}
		if err := c.await(in); err != nil {
			return err
		}
		return c.identifyAgain()
	} else if c.hasBody() {
		c.place.since = time.Now()
	}
	c.place.in = in
	return nil
}

// await waits for a place.
func (c *call) await(in kind) error {
	if err := c.h.gate.wait(c.r, in); err != nil {
		return err
	}
	c.place.since, c.place.in = time.Now(), in
	return nil
}

// unchanged fails if it is found out now that somebody else asks by r than before the
// wait for a place. What is read has been chosen for whom it was: they have to ask again.
func (c *call) unchanged(r *http.Request) error {
	now := *c
	now.r = r
	if err := now.identifyAgain(); err != nil || !reflect.DeepEqual(now.req.Auth, c.req.Auth) {
		return errOverload // and nothing about this one alone: others may wait for the same
	}
	return nil
}

// mayBeKnown tells whether to let a read in without a place, since the cache may know
// the answer: to refuse it takes as long as to give it. Where nearly all turn out to
// need one, few are.
func (g *gate) mayBeKnown(r *http.Request) bool {
	if g.off || classOf(r) == overload.Low {
		return false
	}
	return bits.OnesCount64(g.needed.Load()) < 60 || rand.Uint32()%16 == 0
}

// surrender gives up the right to a place, if the call was let in with one.
func (c *call) surrender() {
	t := c.place.ticket
	if t == nil {
		return
	}
	c.place.ticket = nil
	bit := uint64(0)
	if t.Close() {
		bit = 1
	}
	for old := c.h.gate.needed.Load(); !c.h.gate.needed.CompareAndSwap(old, old<<1|bit); {
		old = c.h.gate.needed.Load()
	}
}

// leave gives the place back, if the call has one.
func (c *call) leave() {
	c.surrender()
	if c.place.in != nowhere {
		c.left(time.Since(c.place.since))
	}
}

// left is leave after d.
func (c *call) left(d time.Duration) {
	g, in := &c.h.gate, c.place.in
	c.place.in = nowhere
	g.limits[in].Release()
	if c.status < 500 {
		g.limits[in].TookOne(c.place.since, d)
	}
	g.lines[in].Wake()
}

// Overload is how many requests are worked on, and how many may be.
type Overload struct {
	Reads   AtOnce `json:"reads"`
	Writes  AtOnce `json:"writes"`
	Waiting int64  `json:"waiting"` // for a place
	Refused int64  `json:"refused"` // since the start
}

// AtOnce are requests of one kind.
type AtOnce struct {
	Now   int64 `json:"now"`
	Limit int64 `json:"limit"` // as found by latency
}

// Overload is how that stands.
func (h *Handler) Overload() Overload {
	g := &h.gate
	return Overload{
		Reads:   AtOnce{g.limits[reads].Waiting(), g.limits[reads].Limit()},
		Writes:  AtOnce{g.limits[writes].Waiting(), g.limits[writes].Limit()},
		Waiting: g.lines[reads].Length() + g.lines[writes].Length(), Refused: g.refused.Load(),
	}
}

func (h *Handler) measureOverload(reg *prometheus.Registry) {
	gauge := func(name, help, kind string, f func() int64) {
		o := prometheus.GaugeOpts{Name: name, Help: help}
		if kind != "" {
			o.ConstLabels = prometheus.Labels{"kind": kind}
		}
		reg.MustRegister(prometheus.NewGaugeFunc(o, func() float64 { return float64(f()) }))
	}
	const now, limit = "pando_http_working_requests", "pando_http_working_limit"
	const nowHelp, limitHelp = "Requests that are worked on: what only waits for its client, or for events, is left out.", "Requests that are worked on at once at most, as found by latency."
	gauge(now, nowHelp, "read", h.gate.limits[reads].Waiting)
	gauge(now, nowHelp, "write", h.gate.limits[writes].Waiting)
	gauge(limit, limitHelp, "read", h.gate.limits[reads].Limit)
	gauge(limit, limitHelp, "write", h.gate.limits[writes].Limit)
	gauge("pando_http_waiting_requests", "Requests that wait until they are worked on.", "", func() int64 { return h.Overload().Waiting })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "pando_http_refused_total", Help: "Requests refused with 503, because there were more than can be answered.",
	}, func() float64 { return float64(h.gate.refused.Load()) }))
}

func classOf(r *http.Request) overload.Class {
	if overload.IsLow(r.Header.Get("Priority")) || overload.IsPrefetch(r.Header.Get("Sec-Purpose")) || overload.IsPrefetch(r.Header.Get("Purpose")) {
		return overload.Low
	}
	return overload.Normal
}

// wait waits for a place.
func (g *gate) wait(r *http.Request, in kind) error {
	limit, line := &g.limits[in], &g.lines[in]
	if g.off {
		limit.Force()
		return nil
	}
	class, began := classOf(r), time.Now()
	if line.Length() == 0 && limit.Acquire() { // there may be one now, if this is a read that was let in without
		return nil
	}
	for until := began.Add(limit.Patience(limit.Care)); ; {
		now := time.Now()
		limit.TickAt(now)
		if line.Wait(r.Context(), class, until.Sub(now)) {
			if !limit.Acquire() {
				continue
			}
			line.WakeIfIdle()
			return nil
		}
		if err := context.Cause(r.Context()); err != nil {
			return err
		}
		if now = time.Now(); class == overload.Normal && limit.Stalled() && now.Sub(began) < stallBound {
			until = now.Add(limit.Care)
			continue
		}
		g.refused.Add(1)
		return errOverload
	}
}
