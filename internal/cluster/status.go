package cluster

import (
	"time"

	"github.com/pandobase/pando/internal/position"
)

// Counts are what has happened since the start.
type Counts struct {
	Joins     uint64 // snapshots taken: each empties the caches that the snapshot's base does not cover
	Resumed   uint64 // tailers followed without a gap
	Gaps      uint64 // batches missed
	Takeovers uint64 // times this server became the tailer
	Dropped   uint64 // members that this server, as the tailer, did not wait for
	Restored  uint64 // databases found restored
}

// Status is how this server stands in the cluster.
type Status struct {
	Self    Member
	Members []Member // as last read

	Tailer  Tailer // who is followed, without its beat
	Reigns  bool   // this server is it
	Standby bool   // this server is ready to be it

	Epoch    position.Epoch
	Base     position.N
	Frontier position.N // F
	Safe     position.N // S
	Leased   bool
	Lease    time.Duration // how long it still runs; negative: since when it has ended
	Age      time.Duration // how long ago F is last known to have been all that the primary had; below 0: it never was
	Waiting  int           // answers that wait for S
	Problem  string        // why there is no lease, if it is known

	Peers  []PeerStatus // of the tailer
	Counts Counts
}

// PeerStatus is how the tailer sees a member.
type PeerStatus struct {
	ID       string
	Address  string
	Frontier position.N
	Behind   position.N // bytes of the log that it was sent and has not acknowledged
	Counted  bool       // S waits for it
	// Lease is for how long it may still have one, if it counts: no more than that.
	Lease   time.Duration
	Standby bool
}

// Status is how this server stands.
func (n *Node) Status() Status {
	x := n.cfg.Clock.Index()
	s := Status{
		Self:  n.cfg.Self,
		Epoch: x.Epoch(), Base: x.Base(), Frontier: x.Frontier(), Safe: x.Safe(),
		Leased: x.Leased(), Waiting: x.Waiting(), Standby: n.spare.ready(), Age: -1,
	}
	if at := n.f.newest.Load(); at != 0 {
		s.Age = time.Duration(n.now() - at)
	}
	if until := x.Lease(); until != 0 {
		s.Lease = time.Duration(until - position.BootTime())
	}
	if t := n.f.tailer.Load(); t != nil {
		s.Tailer = *t
	}
	now, _ := n.rosterNow()
	s.Members = now.Members
	n.mu.Lock()
	s.Counts = n.counts
	if !s.Leased {
		s.Problem = n.problem
	}
	r := n.reign
	n.mu.Unlock()
	if r != nil {
		s.Reigns = true
		answer := make(chan []PeerStatus, 1)
		if r.post(func() { answer <- r.status() }) {
			select {
			case s.Peers = <-answer:
			case <-r.over:
			}
		}
	}
	return s
}

func (r *reign) status() (list []PeerStatus) {
	now := r.n.now()
	for p := range r.peers {
		s := PeerStatus{
			ID: p.id, Address: p.address, Frontier: p.f, Behind: r.sent - min(r.sent, p.f),
			Counted: p.counted, Standby: p == r.standby,
		}
		if p.counted {
			s.Lease = time.Duration(max(0, p.until-now))
		}
		list = append(list, s)
	}
	return list
}

func (n *Node) count(f func(*Counts)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.counts)
}
