package lb

import (
	"encoding/json"
	"time"
)

// Status is what a balancer knows at one moment, for pando status and the metrics.
type Status struct {
	Version     string           `json:"version"`
	Policy      Policy           `json:"policy"`
	Ready       bool             `json:"ready"`
	Reason      string           `json:"reason,omitempty"` // why it is not ready
	Connections int              `json:"connections"`      // of clients
	InFlight    int              `json:"inFlight"`
	Queued      int              `json:"queued"` // requests that wait for a place at an upstream
	Retries     uint64           `json:"retries"`
	Hedges      uint64           `json:"hedges"`
	Shed        uint64           `json:"shed"` // requests answered 503 for want of a place
	Upstreams   []UpstreamStatus `json:"upstreams"`
}

// UpstreamStatus is what is known of one upstream. Times are in seconds.
type UpstreamStatus struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Address  string     `json:"address"`
	State    string     `json:"state"`            // up, ramping, draining, unready, down, ejected, new
	Reason   string     `json:"reason,omitempty"` // in words, of all states but up
	Since    time.Time  `json:"since"`            // of this state
	InFlight int        `json:"inFlight"`
	Limit    int        `json:"limit"` // of requests in flight, as found by latency; 0: none yet
	Rate     float64    `json:"rate"`  // answers a second
	P50      float64    `json:"p50"`   // to the answer's header
	P99      float64    `json:"p99"`
	Errors   float64    `json:"errors"` // share of attempts that failed, of the last ten seconds
	Requests uint64     `json:"requests"`
	Failed   uint64     `json:"failed"`
	Dials    uint64     `json:"dials"`
	Ejected  *time.Time `json:"ejected,omitempty"` // since when
	Ramp     float64    `json:"ramp"`              // share of its full share, 0 to 1
	Load     float64    `json:"load"`              // as it says, 0 to 1
}

// JSON is the status as /status shows it.
func (s Status) JSON() ([]byte, error) { return json.MarshalIndent(s, "", "  ") }

// Status tells what is known now.
func (b *Balancer) Status() Status {
	now := time.Now()
	s := Status{
		Version: b.cfg.Version, Policy: b.cfg.Policy, Reason: b.ready(),
		Connections: b.clients.count(), InFlight: int(b.inflight.Load()), Queued: int(b.queue.Length()),
		Retries: uint64(b.retries.Load()), Hedges: uint64(b.hedges.Load()), Shed: uint64(b.shed.Load()),
		Upstreams: []UpstreamStatus{},
	}
	s.Ready = s.Reason == ""
	for _, m := range b.roster.Load().all {
		s.Upstreams = append(s.Upstreams, m.status(now))
	}
	return s
}

func (m *member) status(now time.Time) UpstreamStatus {
	told := m.upstream()
	state, reason, since := m.state()
	by, n := merged(&m.times)
	errors, _ := m.health.errors()
	u := UpstreamStatus{
		ID: told.id(), Name: told.name(), Address: told.Address,
		State: state.String(), Reason: reason, Since: since,
		InFlight: int(m.inflight.Load()), Limit: int(m.limit.Limit()), Rate: float64(m.rate.Load()),
		P50: quantile(&by, n, 0.5).Seconds(), P99: quantile(&by, n, 0.99).Seconds(), Errors: errors,
		Requests: m.requests.Load(), Failed: m.failed.Load(), Dials: m.dials.Load(),
		Ramp: m.ramp(now), Load: m.load.value(now),
	}
	switch {
	case told.Draining:
		u.State, u.Reason = "draining", "it is being taken out: what is under way is finished"
	case state == stateUp && m.health.suspect.Load():
		u.Reason = "silent, and being asked whether it is there"
	case state == stateUp && u.Ramp < 1:
		u.State, u.Reason = "ramping", "it has just come, and gets more from moment to moment"
	case state == stateEjected:
		u.Ejected = &since
	case state == stateNew:
		u.Reason = "not asked yet"
	}
	return u
}
