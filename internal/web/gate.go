package web

import (
	"context"
	"net/http"
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
// same thing keep nobody from reading.
//
// A request has its place while it is worked on: from when its body has been read until
// its answer begins. What the client does with its time, what only waits (an event
// stream) and what has a bound of its own (passwords) does not count.
type gate struct {
	reads, writes overload.Limiter
	lines         [2]overload.Queue // who waits
	off           bool
	refused       atomic.Int64
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
	g.reads.Init(o)
	g.writes.Init(o)
}

// of is where a request belongs.
func (g *gate) of(method string) (*overload.Limiter, *overload.Queue) {
	if method == http.MethodGet || method == http.MethodHead {
		return &g.reads, &g.lines[0]
	}
	return &g.writes, &g.lines[1]
}

// value is how much of what the server can do it does, from 0 to 1.
func (g *gate) value() float64 { return max(g.reads.Load(), g.writes.Load()) }

// place is a request's part in what is worked on.
type place struct {
	limit *overload.Limiter // nil: it has none
	line  *overload.Queue
	since time.Time
}

// errOverload is what those are told who are not let in.
var errOverload = &pando.Error{
	Kind:    pando.KindUnavailable,
	Message: "The server has more to do than it can. Please try again in a moment.",
}

// enter takes a place, if the call is to have one and has had none yet.
func (c *call) enter() error {
	if !c.route.placed || c.entered {
		return nil
	}
	c.entered = true
	g := &c.h.gate
	limit, line := g.of(c.r.Method)
	since := c.start
	if line.Length() > 0 || !limit.Acquire() { // whoever comes while others wait, waits behind them
		if err := g.wait(c.r, limit, line); err != nil {
			return err
		}
		since = time.Now()
	} else if c.hasBody() {
		since = time.Now()
	}
	c.place = place{limit, line, since}
	return nil
}

// leave gives the place back, if the call has one.
func (c *call) leave() {
	if c.place.limit != nil {
		c.leaveAt(time.Now())
	}
}

func (c *call) leaveAt(now time.Time) {
	p := c.place
	if p.limit == nil {
		return
	}
	c.place.limit = nil
	p.limit.Release()
	if c.status < 500 {
		p.limit.Took(now.Sub(p.since))
	}
	p.limit.TickAt(now)
	p.line.Wake()
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
		Reads:  AtOnce{g.reads.Waiting(), g.reads.Limit()},
		Writes: AtOnce{g.writes.Waiting(), g.writes.Limit()}, Waiting: g.lines[0].Length() + g.lines[1].Length(), Refused: g.refused.Load(),
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
	gauge(now, nowHelp, "read", h.gate.reads.Waiting)
	gauge(now, nowHelp, "write", h.gate.writes.Waiting)
	gauge(limit, limitHelp, "read", h.gate.reads.Limit)
	gauge(limit, limitHelp, "write", h.gate.writes.Limit)
	gauge("pando_http_waiting_requests", "Requests that wait until they are worked on.", "", func() int64 { return h.Overload().Waiting })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "pando_http_refused_total", Help: "Requests refused with 503, because there were more than can be answered.",
	}, func() float64 { return float64(h.gate.refused.Load()) }))
}

// wait waits for a place.
func (g *gate) wait(r *http.Request, limit *overload.Limiter, line *overload.Queue) error {
	if g.off {
		limit.Force()
		return nil
	}
	class := overload.Normal
	if overload.IsLow(r.Header.Get("Priority")) || overload.IsPrefetch(r.Header.Get("Sec-Purpose")) || overload.IsPrefetch(r.Header.Get("Purpose")) {
		class = overload.Low
	}
	began := time.Now()
	for until := began.Add(limit.Patience(limit.Care)); ; {
		now := time.Now()
		limit.TickAt(now)
		if line.Wait(r.Context(), class, until.Sub(now)) {
			if limit.Acquire() {
				return nil
			}
			continue
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
