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
	limits  [3]overload.Limiter // by kind
	lines   [3]overload.Queue   // who waits
	off     bool
	within  time.Duration // that requests may come to take
	refused atomic.Int64
}

// Limits that a server begins with, and does not go below: requests that do nothing but
// compute take longer the more of them there are, from one for each processor on.
const (
	startPerProcessor = 64
	leastPerProcessor = 2
)

// gateGain: a place is taken again at once, by who stands in line here.
const gateGain = 1.25

// insideAtMost is the time that requests may take for being worked on together, where
// they would take less by themselves: the rest of what they may take is for waiting in
// line, where those go first that matter, and where nobody keeps health checks from a
// processor.
const insideAtMost = 10 * time.Millisecond

// stallBound is how long a request waits at most while nothing is answered: see
// [overload.Limiter.Stalled].
const stallBound = 5 * time.Second

// DefaultOverloadLatency is a latency that nobody minds if it comes to that.
const DefaultOverloadLatency = 250 * time.Millisecond

// init has requests take so long at most when there are too many of them; 0: the
// default, below 0: none is refused. Half of that at most is for being worked on.
func (g *gate) init(within time.Duration) {
	if within < 0 {
		g.off = true
	}
	if within <= 0 {
		within = DefaultOverloadLatency
	}
	g.within = within
	inside := min(within/2, insideAtMost)
	processors := runtime.GOMAXPROCS(0)
	o := overload.Options{
		Start: int64(max(100, startPerProcessor*processors)), Least: int64(leastPerProcessor * processors),
		Care: time.Duration(float64(inside) / gateGain), Gain: gateGain, Stalls: true,
		Within: inside, Serial: int64(processors),
	}
	g.limits[reads].Init(o)
	g.limits[writes].Init(o)
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
	since time.Time
	in    kind
	asked bool // it has had its place, or was refused
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

func classOf(r *http.Request) overload.Class {
	if overload.IsLow(r.Header.Get("Priority")) || overload.IsPrefetch(r.Header.Get("Sec-Purpose")) || overload.IsPrefetch(r.Header.Get("Purpose")) {
		return overload.Low
	}
	return overload.Normal
}

// inVain tells whether a request would wait for a place in vain, there being so many
// before it. It is asked before anything is done for a request: where there are too many,
// each that is refused costs those that are answered.
func (g *gate) inVain(rt *route, r *http.Request) bool {
	in := kindOf(r.Method)
	line, limit := &g.lines[in], &g.limits[in]
	if !rt.placed || line.Length() == 0 || g.off {
		return false
	}
	class := classOf(r)
	if class == overload.Normal && limit.Stalled() || !limit.InVain(line.Before(class), limit.Rest(g.within)) {
		return false
	}
	g.refused.Add(1)
	return true
}

// enter takes a place, if the call is to have one and has had none yet.
func (c *call) enter() error {
	if !c.route.placed || c.place.asked {
		return nil
	}
	c.place.asked = true
	g, in := &c.h.gate, kindOf(c.r.Method)
	if g.lines[in].Length() > 0 || !g.limits[in].Acquire() { // whoever comes while others wait, waits behind them
		if err := g.wait(c.r, in); err != nil {
			return err
		}
		c.place.since = time.Now()
	} else if c.hasBody() {
		c.place.since = time.Now()
	}
	c.place.in = in
	return nil
}

// leave gives the place back, if the call has one.
func (c *call) leave() {
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
	g.next(in)
}

// next gives the places that are free to those who have waited longest. Whoever is woken
// has its place already, so nobody overtakes it.
func (g *gate) next(in kind) {
	for g.lines[in].Length() > 0 && g.limits[in].Acquire() {
		if !g.lines[in].Wake() {
			g.limits[in].Release()
			return
		}
	}
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

// wait waits for a place.
func (g *gate) wait(r *http.Request, in kind) error {
	limit, line := &g.limits[in], &g.lines[in]
	if g.off {
		limit.Force()
		return nil
	}
	class := classOf(r)
	began := time.Now()
	limit.TickAt(began)
	for patience := limit.Rest(g.within); ; patience = g.within {
		w := line.Join(class)
		g.next(in) // a place that became free before this one stood in line is nobody else's
		if w != nil && line.Await(r.Context(), w, patience) {
			return nil
		}
		if err := context.Cause(r.Context()); err != nil {
			return err
		}
		now := time.Now()
		limit.TickAt(now)
		if class != overload.Normal || !limit.Stalled() || now.Sub(began) >= stallBound {
			g.refused.Add(1)
			return errOverload
		}
	}
}
