package topology

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// State is who is what, as judged last. It does not change; whether a member is
// silent, how far it is and how loaded is asked of the member.
type State struct {
	primary  *Member
	replicas []*Member
	timeline uint32
	system   uint64
	history  position.History
	first    bool // every host has been heard, or was silent
	turn     atomic.Uint32
	changed  chan struct{} // closed when there is a newer one
}

// Primary is where to write; nil if there is none, or if it does not answer now.
func (s *State) Primary() *Member {
	if m := s.primary; m != nil && !m.Silent() {
		return m
	}
	return nil
}

// LastPrimary is the primary whether it answers or not: nobody has taken its
// place. Nil if there is none.
func (s *State) LastPrimary() *Member { return s.primary }

// Replica is the least loaded replica that shows everything up to need, and is not one of
// but; nil if no one does. Of equally loaded ones each has its turn.
func (s *State) Replica(need position.N, but ...*Member) *Member {
	return s.least(func(m *Member) bool { return m.Reached() >= need && !slices.Contains(but, m) })
}

// Surest is, of the replicas that show everything up to need and have come to a timeline,
// the least loaded of those that have received the least; nil if no one does. While no
// primary confirms a commit, what some have and others lack may be taken back: the one that is promoted need not
// have it.
func (s *State) Surest(need position.N, timeline uint32) *Member {
	will := func(m *Member) bool { return m.Reached() >= need && m.Report().Timeline >= timeline }
	least := ^position.N(0)
	for _, m := range s.replicas {
		if !m.Silent() && will(m) {
			least = min(least, m.received())
		}
	}
	return s.least(func(m *Member) bool { return will(m) && m.received() <= least })
}

// Guess is the least loaded replica that may have replayed by now what it had not when
// it was last heard, for who finds out by asking it and then says so ([Member.Guessed]);
// nil if there is none of which that is to be expected, but for those of but.
func (s *State) Guess(but ...*Member) *Member {
	now := time.Now()
	return s.least(func(m *Member) bool { return !slices.Contains(but, m) && m.prompt(now) })
}

// least is the least loaded replica of those that will do.
func (s *State) least(will func(*Member) bool) *Member {
	n := len(s.replicas)
	if n == 0 {
		return nil
	}
	var best *Member
	var load int64
	begin := int(s.turn.Add(1) % uint32(n))
	for i := range n {
		m := s.replicas[(begin+i)%n]
		if m.Silent() || !will(m) {
			continue
		}
		if l := m.InFlight(); best == nil || l < load {
			best, load = m, l
		}
	}
	return best
}

// Replicas are all that may be read, silent ones among them. The slice must not
// be changed.
func (s *State) Replicas() []*Member { return s.replicas }

// Timeline is the highest timeline that any host has named; 0 before the first.
func (s *State) Timeline() uint32 { return s.timeline }

// System identifies the database system; 0 before the first host was heard.
func (s *State) System() uint64 { return s.system }

// History is how the timeline came about, as far as its primary has said.
func (s *State) History() position.History { return s.history }

// Changed is closed when there is a newer State.
func (s *State) Changed() <-chan struct{} { return s.changed }
