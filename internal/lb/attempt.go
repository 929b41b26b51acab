package lb

import (
	"errors"
	"net/http"
	"time"
)

// begun is an attempt at an upstream, where a place is taken: by the slow path, or by the
// fast one, which leaves the rest to the slow one when it takes long or becomes unusual.
type begun struct {
	m       *member
	c       *upconn
	at      time.Time
	failure *failure // it has failed, and its place is given back
}

// enter counts a request as sent to m.
func (m *member) enter() {
	m.requests.Add(1)
	m.inflight.Add(1)
}

// leave gives the place back, for the next one that waits.
func (bg *begun) leave() {
	bg.m.limit.Release()
	bg.m.b.queue.Wake()
}

// abandon ends an attempt of which nobody will hear.
func (bg *begun) abandon() {
	if bg == nil || bg.failure != nil {
		return
	}
	bg.leave()
	bg.m.inflight.Add(-1)
	if !bg.c.heard.Load() {
		bg.m.owes(bg.c.asked.Load())
	}
	bg.m.drop(bg.c)
}

// undialed counts that no connection could be had.
func (m *member) undialed() {
	m.failed.Add(1)
	m.codes[0].Add(1)
	m.health.struck()
	m.b.recheck(m)
}

// blame counts a failure, if it is the upstream's.
func (m *member) blame(f *failure) {
	if f.body {
		return
	}
	m.failed.Add(1)
	m.codes[0].Add(1)
	if !f.reused || errors.Is(f.err, errSilent) || errors.Is(f.err, errLate) {
		m.health.struck()
	}
	if !errors.Is(f.err, errSilent) {
		m.b.recheck(m)
	}
}

// answered counts an answer and what it says of the upstream's health. One that asks the
// client to come later has more to do than it can and says so, which is no failure: it
// would be ejected for it, and the others had its share as well.
func (m *member) answered(status int, later bool, took time.Duration, now time.Time) {
	m.codes[min(status/100, 5)].Add(1)
	switch status {
	case http.StatusServiceUnavailable:
		if later {
			m.failed.Add(1)
			m.health.refused()
			return
		}
		fallthrough
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		m.failed.Add(1)
		m.health.erred() // and its time says nothing: failing is quick
	default:
		m.health.succeeded()
		m.latency.add(took, now, m.b.roster.Load().typical)
		m.times.add(took)
		m.limit.Took(took)
	}
}
