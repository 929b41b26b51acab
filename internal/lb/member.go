package lb

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/overload"
)

// member is an upstream as the balancer knows it: its connections, what was measured,
// and whether it gets requests. It lives as long as its ID is told of.
type member struct {
	b    *Balancer
	pool pool

	told atomic.Pointer[Upstream] // as it was told of last

	inflight atomic.Int64 // requests of which the answer is not over, streams excepted
	streams  atomic.Int64 // event streams and tunnels
	lastWord atomic.Int64 // when a byte came from it last, in Unix ns
	owed     atomic.Int64 // since when an answer is due that nobody waits for any more, in Unix ns
	probing  atomic.Int64 // since when a probe in its turn is under way, in Unix ns; 0: none is
	probed   atomic.Int64 // how long the last of these took that was answered, in ns
	load     reported
	latency  ewma
	times    histogram
	limit    overload.Limiter
	// patienceNow is how long a request may wait for a place, in ns.
	patienceNow atomic.Int64

	requests, failed, dials, retried atomic.Uint64
	codes                            [6]atomic.Uint64 // by hundreds of the status; 0: none

	rate     atomic.Uint64 // answers a second, of the last period
	pathless sync.Once     // it was said that it has no page to probe

	health  health
	removed atomic.Bool // no longer told of
	cancel  func()      // ends its probes
	first   sync.Once
	asked   chan struct{} // closed after the first probe
}

func newMember(b *Balancer, u Upstream, now time.Time) *member {
	m := &member{b: b, asked: make(chan struct{})}
	m.pool.active = map[*upconn]struct{}{}
	m.told.Store(&u)
	m.health.state, m.health.since = stateNew, now
	m.limit.Init(forUpstream)
	if u.Load > 0 {
		m.load.set(u.Load, now)
	}
	return m
}

func (m *member) upstream() *Upstream { return m.told.Load() }
func (m *member) name() string        { return m.upstream().name() }

// spoke notes that a byte has come.
func (m *member) spoke(now time.Time) { m.lastWord.Store(now.UnixNano()) }

// owes notes that a request of which nothing was heard is waited for no longer: it was
// answered elsewhere, or its client has gone. The upstream may be silent all the same.
// asked is when it was sent, in Unix ns; not above 0: it was not, as a whole.
func (m *member) owes(asked int64) {
	if old := m.owed.Load(); asked > 0 && old <= m.lastWord.Load() {
		m.owed.CompareAndSwap(old, asked)
	}
}

// score is how unwise it would be to send a request here. How much slower it is than
// typical counts twice: it is what the request would wait, and says how long those before
// it will stay. With its first power an upstream five times slower than two others would
// get every fiftieth request as soon as those have four in flight, though they are none
// the slower for it: enough to be the 99th percentile.
func (m *member) score(now time.Time, typical float64) float64 {
	n := m.inflight.Load()
	r := m.latency.ratio(now, typical, n > 0)
	return float64(n+1) * r * r / max(0.05, 1-m.load.value(now))
}

// reported is the load that an upstream told of, which fades.
type reported struct {
	mu    sync.Mutex
	share float64
	at    time.Time
}

// loadFor is how long a reported load is believed.
const loadFor = 10 * time.Second

// HeaderLoad is the header by which an upstream tells how busy it is, from 0 to 1. It
// is meant for the balancer and taken out of the answer.
const HeaderLoad = "X-Pando-Load"

func (l *reported) set(share float64, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.share, l.at = min(max(share, 0), 1), at
}

func (l *reported) value(now time.Time) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.IsZero() || now.Sub(l.at) > loadFor {
		return 0
	}
	return l.share
}

// take takes the load as an answer's header tells it.
func (l *reported) take(text string, now time.Time) {
	if share, err := strconv.ParseFloat(text, 64); err == nil && share >= 0 {
		l.set(share, now)
	}
}
