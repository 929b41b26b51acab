package topology

import (
	"sync"
	"sync/atomic"

	"github.com/pandobase/pando/internal/position"
)

// Member is one life of a host; see the package comment. Its methods may be
// called at once, and none of them waits.
type Member struct {
	host *host

	inflight atomic.Int64
	reached  atomic.Uint64
	limit    atomic.Uint64
	report   atomic.Pointer[Report] // nil: nothing heard in this life

	guess guess

	silent     atomic.Bool
	unanswered atomic.Bool
	alarm      atomic.Pointer[chan struct{}]
	gone       chan struct{}

	mu     sync.Mutex // of changes of silent, alarm and gone
	doubts uint64     // how often it became doubtful
	dead   bool
}

// newMember is silent until it has been heard.
func newMember(h *host) *Member {
	m := &Member{host: h, gone: make(chan struct{})}
	alarm := make(chan struct{})
	m.alarm.Store(&alarm)
	m.ring()
	return m
}

// Host is the address, as configured.
func (m *Member) Host() string { return m.host.name }

// Report is the last thing heard in this life.
func (m *Member) Report() Report {
	if r := m.report.Load(); r != nil {
		return *r
	}
	return Report{}
}

// Acquire counts a query that is to be sent to this member, and may wait for a connection;
// Release ends it. The least loaded replica is chosen by these counts.
func (m *Member) Acquire() { m.inflight.Add(1) }

// Release ends what Acquire began.
func (m *Member) Release() { m.inflight.Add(-1) }

// InFlight is how many queries are under way.
func (m *Member) InFlight() int64 { return m.inflight.Load() }

// Reached is a position up to which reads of this member show everything: what
// a replica has replayed, what a primary has on disk.
func (m *Member) Reached() position.N { return position.N(m.reached.Load()) }

// received is how much of the log a replica has, when it was last heard.
func (m *Member) received() position.N {
	r := m.Report()
	return max(r.Receive, r.Replay)
}

// Learn notes that a query on this member found it at n. It saves waiting for
// the next probe. Only what was asked over a connection of this life counts.
func (m *Member) Learn(n position.N) {
	for old := m.reached.Load(); old < uint64(n) && !m.reached.CompareAndSwap(old, uint64(n)); {
		old = m.reached.Load()
	}
}

// Limit is, of a replica that is still on an earlier timeline, where that one
// was left. What it shows beyond is not true: whoever reads it must look at its
// position afterwards, since it may have gone on meanwhile.
func (m *Member) Limit() (n position.N, ok bool) {
	n = position.N(m.limit.Load())
	return n, n > 0
}

// Silent tells whether the last probe has not been answered, or a connection has failed
// since.
func (m *Member) Silent() bool { return m.silent.Load() }

// Unanswered tells whether it is silent because a probe has not been answered.
func (m *Member) Unanswered() bool { return m.unanswered.Load() }

// Alarm is closed when the member becomes silent, or gone: who waits for it
// should not wait any longer, or ask somebody else too. One that is silent
// already has a closed one.
func (m *Member) Alarm() <-chan struct{} { return *m.alarm.Load() }

// Gone is closed when this life is over: all connections must be closed, and
// what was sent over them has no answer.
func (m *Member) Gone() <-chan struct{} { return m.gone }

// Suspect says that a connection to this member failed. It counts as silent
// until a probe that begins now says otherwise.
func (m *Member) Suspect() {
	m.doubt()
	m.host.pokeNow()
}

func (m *Member) doubt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.doubts++
	m.ring()
}

// doubted is how often there were doubts, to be given to trust.
func (m *Member) doubted() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.doubts
}

// trust ends the silence, unless there were doubts after the given ones. It
// tells whether there was any.
func (m *Member) trust(doubts uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.doubts != doubts || m.dead || !m.silent.Load() {
		return false
	}
	alarm := make(chan struct{})
	m.alarm.Store(&alarm)
	m.silent.Store(false)
	return true
}

func (m *Member) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return
	}
	m.dead = true
	m.ring()
	close(m.gone)
}

// ring sets the alarm off.
func (m *Member) ring() {
	if !m.silent.Swap(true) {
		close(*m.alarm.Load())
	}
}

// hear notes a report of this life.
func (m *Member) hear(r Report) {
	m.unanswered.Store(false)
	m.report.Store(&r)
	if r.InRecovery {
		m.Learn(r.Replay)
	} else {
		m.Learn(r.Flush)
	}
}

// lives tells whether a report is of the same life as those before.
func (m *Member) lives(r Report) bool {
	old := m.report.Load()
	return old == nil || old.System == r.System && old.Instance == r.Instance && old.Timeline == r.Timeline &&
		old.InRecovery == r.InRecovery && old.Replay <= r.Replay && old.Flush <= r.Flush
}
