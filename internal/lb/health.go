package lb

import (
	"sync"
	"sync/atomic"
	"time"
)

type state uint8

const (
	stateNew     state = iota // not asked yet
	stateUp                   // gets requests
	stateUnready              // says of itself that it should get none
	stateDown                 // cannot be reached
	stateEjected              // fails or is silent, where others are not
)

func (s state) String() string {
	return [...]string{"new", "up", "unready", "down", "ejected"}[s]
}

// health is what is thought of one upstream. Transitions are made by the monitor and by
// probes; requests only count.
type health struct {
	good, bad [2]atomic.Int64 // outcomes of this period and of the one before
	period    atomic.Int32
	strikes   atomic.Int32 // failures to connect or to answer, in a row
	suspect   atomic.Bool  // silent, and being asked whether it is there
	asking    atomic.Bool  // the probe of who is suspect is under way
	checking  atomic.Bool  // another probe out of turn is

	mu       sync.Mutex // guards what follows
	state    state
	reason   string
	since    time.Time
	rampFrom time.Time // zero: its share is whole
	missed   int       // probes in a row without an answer
	ejected  int       // times in a row
	until    time.Time // of the ejection
}

// Rules of ejection.
const (
	ejectStrikes  = 5
	ejectSamples  = 10 // outcomes below which a share says nothing
	ejectShare    = 0.5
	ejectLongest  = 30 * time.Second
	forgivenAfter = time.Minute
	missedProbes  = 2
)

// succeeded counts an answer that is none of the upstream's own failures.
func (h *health) succeeded() {
	h.good[h.period.Load()].Add(1)
	if h.strikes.Load() != 0 {
		h.strikes.Store(0)
	}
}

// erred counts an answer of 500, 502, 504, or 503 that does not say when to come again.
func (h *health) erred() {
	h.bad[h.period.Load()].Add(1)
	if h.strikes.Load() != 0 {
		h.strikes.Store(0)
	}
}

// refused notes an answer of 503 that says when to come again.
func (h *health) refused() {
	if h.strikes.Load() != 0 {
		h.strikes.Store(0)
	}
}

// struck counts a request without an answer.
func (h *health) struck() {
	h.bad[h.period.Load()].Add(1)
	h.strikes.Add(1)
}

// turn begins a new period.
func (h *health) turn() {
	next := 1 - h.period.Load()
	h.good[next].Store(0)
	h.bad[next].Store(0)
	h.period.Store(next)
}

// errors is the share of failed outcomes, and of how many.
func (h *health) errors() (share float64, n int64) {
	good := h.good[0].Load() + h.good[1].Load()
	bad := h.bad[0].Load() + h.bad[1].Load()
	if good+bad == 0 {
		return 0, 0
	}
	return float64(bad) / float64(good+bad), good + bad
}

func (h *health) forget() {
	for i := range h.good {
		h.good[i].Store(0)
		h.bad[i].Store(0)
	}
	h.strikes.Store(0)
}

// become changes the state and tells whether it did.
func (h *health) become(s state, reason string, now time.Time) bool {
	if h.state == s {
		h.reason = reason
		return false
	}
	h.state, h.reason, h.since = s, reason, now
	return true
}

// ramp is the share of its full share that it gets now.
func (m *member) ramp(now time.Time) float64 {
	h := &m.health
	h.mu.Lock()
	defer h.mu.Unlock()
	whole := m.b.cfg.Health.Ramp
	if h.rampFrom.IsZero() || whole <= 0 {
		return 1
	}
	share := float64(now.Sub(h.rampFrom)) / float64(whole)
	if share >= 1 {
		h.rampFrom = time.Time{}
		return 1
	}
	return max(share, 0.05)
}

// verdict is what a probe has found.
type verdict struct {
	ready  bool
	reason string // why not
	spoke  bool   // it answered something
	gone   bool   // nobody listens there
}

// judge takes a probe's verdict, and tells whether the state has changed.
func (m *member) judge(v verdict, now time.Time) bool {
	h := &m.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.spoke {
		h.missed = 0
		m.spoke(now)
	}
	switch {
	case v.ready && h.state == stateUp:
		if h.ejected > 0 && now.Sub(h.since) > forgivenAfter {
			h.ejected = 0
		}
		return false
	case v.ready && h.state == stateEjected && now.Before(h.until):
		return false
	case v.ready:
		h.rampFrom = now
		if since := m.upstream().Since; h.state == stateNew && !since.IsZero() {
			h.rampFrom = since
		}
		h.strikes.Store(0)
		h.suspect.Store(false)
		if h.state == stateEjected || h.state == stateDown {
			h.forget()
			m.latency.reset()
		}
		return h.become(stateUp, "", now)
	case v.spoke:
		return h.become(stateUnready, v.reason, now)
	}
	h.missed++
	if v.gone || h.missed >= missedProbes || h.state == stateNew {
		if h.state == stateEjected && !v.gone {
			return false // it is known to be silent
		}
		return h.become(stateDown, v.reason, now)
	}
	return false
}

// eject takes the upstream out for a while, longer each time.
func (m *member) eject(reason string, now time.Time) bool {
	h := &m.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.state != stateUp {
		return false
	}
	h.ejected++
	h.until = now.Add(min(m.b.cfg.Health.Eject<<min(h.ejected-1, 10), ejectLongest))
	return h.become(stateEjected, reason, now)
}

// lost tells whether it is out, and has left several probes in a row without an answer.
func (m *member) lost() bool {
	h := &m.health
	h.mu.Lock()
	defer h.mu.Unlock()
	return (h.state == stateDown || h.state == stateEjected) && h.missed >= missedProbes
}

func (m *member) state() (s state, reason string, since time.Time) {
	m.health.mu.Lock()
	defer m.health.mu.Unlock()
	return m.health.state, m.health.reason, m.health.since
}
