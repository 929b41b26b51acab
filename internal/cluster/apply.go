package cluster

import (
	"context"
	"fmt"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
)

// batch takes a piece of the stream. The order matters: X, then what the store has to
// do before this server counts as knowing, then F, then the ack; S afterwards.
func (s *session) batch(ctx context.Context, m batch) error {
	n, x := s.n, s.n.f.index
	if m.Number == 0 { // a sign of life, while there is no stream: so is this
		s.say(ack{})
		return nil
	}
	if m.Number != s.number {
		return nil // of the stream before, and no longer of use
	}
	if m.Term < n.f.known.Load() || m.Term != s.term {
		return errOld
	}
	if x == nil || s.loading != nil {
		return errGap
	}
	frontier := x.Frontier()
	if m.From > frontier && !mutant.GapIgnored {
		n.count(func(c *Counts) { c.Gaps++ })
		return fmt.Errorf("%w: from %s to %s", errGap, frontier.LSN(), m.From.LSN())
	}
	if m.To > frontier {
		if mutant.AckBeforeApply && len(m.Entries) > 0 {
			s.say(ack{Term: s.term, Number: s.number, Frontier: m.To, T: n.now()})
			mutant.Gap(true)
		}
		if err := s.apply(ctx, x, m, frontier); err != nil {
			return err
		}
		x.Advance(m.To)
	}
	// The ack of a batch that brings nothing is for the clock in it.
	if m.To > frontier || n.now()-s.sent >= int64(n.cfg.Tick)/2 {
		s.ack(0)
	}
	s.settle(x, m.Safe)
	if f := &n.f; f.unseen != 0 && x.Safe() >= f.unseen {
		if err := n.cfg.Apply(ctx, []changes.Entry{missing(f.unseen)}); err != nil {
			return fmt.Errorf("the stream cannot be followed from %s: %w", f.unseen.LSN(), err)
		}
		f.unseen = 0
	}
	s.believe(x, m.batchHead)
	n.spare.appoint(n, m.Standby)
	return nil
}

// apply notes the commits beyond the frontier. A database that was restarted, and a
// new tailer, repeat some.
func (s *session) apply(ctx context.Context, x *position.Index, m batch, frontier position.N) error {
	fresh := m.Entries
	for len(fresh) > 0 && fresh[0].N <= frontier {
		fresh = fresh[1:]
	}
	if len(fresh) == 0 {
		return nil
	}
	for _, e := range fresh {
		x.Apply(e.N, e.XID, e.Tags, e.All)
	}
	if err := s.n.cfg.Apply(ctx, fresh); err != nil {
		return fmt.Errorf("a commit at %s cannot be followed: %w", fresh[0].N.LSN(), err)
	}
	// If that had failed they would come again, and be applied again.
	s.n.f.pending = append(s.n.f.pending, fresh...)
	return nil
}

// settle takes a new S. The index is not told of one beyond what it knows itself: it
// could be sent to a server that does not count.
func (s *session) settle(x *position.Index, safe position.N) {
	f := &s.n.f
	f.safe = max(f.safe, safe)
	if now := min(f.safe, x.Frontier()); now > x.Safe() {
		x.Settle(now)
	}
	reached := 0
	for reached < len(f.pending) && f.pending[reached].N <= x.Safe() {
		if e := f.pending[reached]; e.N > f.told {
			f.told = e.N
			s.n.cfg.Deliver(x.Run(), e)
		}
		reached++
	}
	f.pending = append(f.pending[:0:0], f.pending[reached:]...)
}

// overKept is how many leases are kept that end before the stream has come as far: ten
// seconds' worth of them. A stream that is slower still tells of the first ones.
const overKept = 512

// believe takes leases: until L after the t that is echoed, once everything is known
// that the primary had on disk after t came to the tailer. A t of another boot is of
// another clock (a machine that was restarted begins anew), one from before the index
// was ours is of an index that is no more.
func (s *session) believe(x *position.Index, h batchHead) {
	n := s.n
	now := n.now()
	if h.Echo != 0 && h.Boot == n.boot && h.Echo >= n.f.since && h.Echo <= now {
		s.grants = append(s.grants, grant{h.Probe, h.Echo + int64(n.cfg.Lease)})
	}
	if n.f.unseen != 0 {
		return
	}
	best := int64(0)
	rest := s.grants[:0]
	for _, g := range s.grants {
		if g.probe > x.Frontier() {
			if g.until > now || len(rest) < overKept {
				rest = append(rest, g) // late as it is, it will tell how late
			}
			continue
		}
		n.f.newest.Store(max(n.f.newest.Load(), g.until-int64(n.cfg.Lease)))
		if g.until > now {
			best = max(best, g.until)
		}
	}
	s.grants = rest
	if best == 0 || !n.registered(now) {
		return
	}
	n.cfg.grant(x, best)
	n.note("") // whatever was in the way of that
	n.f.late.Store(now)
}

// ack says how far this server is.
func (s *session) ack(want position.N) {
	s.sent = s.n.now()
	s.say(ack{Term: s.term, Number: s.number, Frontier: s.n.f.index.Frontier(), T: s.sent, Want: want})
}

// wantMore asks for what somebody waits for: the log says where it is every 20 ms
// when nothing is committed, and at once if it is asked.
func (s *session) wantMore() {
	if s.number == 0 || s.loading != nil {
		return
	}
	if want := s.n.f.index.Want(); want > 0 {
		s.ack(want)
	}
}
