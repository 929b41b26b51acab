package cluster

import (
	"sort"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// checker is what must always hold.
type checker struct {
	allEnds  [][2]*cableEnd
	cuts     [][2]*machine
	restored bool // and not noticed yet
	safest   position.N
	safeOf   position.Epoch
	checks   int
	leases   int // seen
	halted   bool
	writes   int
}

// watchOver checks every millisecond until the returned function is called.
func (w *world) watchOver() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				w.check()
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// check: whoever has a lease knows of everything that anybody can have been answered.
func (w *world) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.checks++; w.t.Failed() {
		return // once is enough
	}
	if w.safeOf != w.epoch {
		w.safest, w.safeOf = 0, w.epoch
	}
	for _, m := range w.machines {
		if x := m.clock.Index(); x.Epoch() != w.epoch && w.hidden[x.Epoch()] > 0 && x.Safe() >= w.hidden[x.Epoch()] {
			w.t.Errorf("%v: S is %d at %s, of %+v that ended; %d was never visible", time.Since(w.born), x.Safe(), m.id, x.Epoch(), w.hidden[x.Epoch()])
		}
		if x := m.clock.Index(); !m.lives.dead.Load() && x.Epoch() == w.epoch && x.Instance() >= w.copied && !w.restored {
			w.safest = max(w.safest, x.Safe())
			if x.Safe() > x.Frontier() {
				w.t.Errorf("%s: S %d is beyond F %d", m.id, x.Safe(), x.Frontier())
			}
		}
	}
	now := time.Since(w.born).Nanoseconds()
	answered := w.safest // or by time
	recent := w.log[max(0, len(w.log)-600):]
	for _, e := range recent {
		shown, ok := w.shown[e.N]
		if !ok {
			if e.N <= w.safest {
				w.t.Errorf("%v: commit %d is safe (%d), and not visible yet", time.Since(w.born), e.N, w.safest)
			}
			continue
		}
		if now-shown > (550 * time.Millisecond).Nanoseconds() {
			answered = max(answered, e.N)
		}
	}
	var last position.N // commit that was answered
	for _, e := range recent {
		if e.N <= answered {
			last = e.N
		}
	}
	for _, m := range w.machines {
		x := m.clock.Index()
		if m.lives.dead.Load() || !x.Leased() {
			continue
		}
		w.leases++
		switch {
		case x.Epoch() == w.epoch && x.Instance() >= w.copied && !w.restored:
			if x.Frontier() < last {
				w.t.Errorf("%v: %s has a lease and knows up to %d; %d was answered", time.Since(w.born), m.id, x.Frontier(), last)
			}
		case last > 0:
			w.t.Errorf("%v: %s has a lease of %+v; %d of %+v was answered", time.Since(w.born), m.id, x.Epoch(), last, w.epoch)
		}
	}
}

// delivered checks that commits come in order, all of them, once safe.
func (w *world) delivered(m *machine, e changes.Entry) {
	x := m.clock.Index()
	w.mu.Lock()
	defer w.mu.Unlock()
	m.got = append(m.got, e)
	if e.Unlisted {
		return
	}
	if e.N > x.Safe() {
		w.t.Errorf("%s: %d was delivered, and S is %d", m.id, e.N, x.Safe())
	}
	log := w.past[x.Epoch()]
	if x.Epoch() == w.epoch {
		log = w.log
	}
	before := position.N(0)
	if i := sort.Search(len(log), func(i int) bool { return log[i].N >= e.N }); i > 0 {
		before = log[i-1].N
	}
	if len(m.got) < 2 {
		w.t.Errorf("%s: %d was delivered before it was said where that begins", m.id, e.N)
		return
	}
	if prev := m.got[len(m.got)-2]; prev.N < before || prev.N >= e.N {
		w.t.Errorf("%s: %d was delivered after %d; %d was before it", m.id, e.N, prev.N, before)
	}
}

// until waits until f is so, or fails.
func (w *world) until(what string, limit time.Duration, f func() bool) time.Duration {
	w.t.Helper()
	begun := time.Now()
	for !f() {
		if time.Since(begun) > limit {
			w.dump()
			w.t.Fatalf("after %v: not so: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
	}
	return time.Since(begun)
}

func (w *world) dump() {
	for _, m := range w.machines {
		s := m.node.Status()
		w.t.Logf("%s: dead %v, epoch %+v base %d F %d S %d leased %v tailer %+v reigns %v standby %v problem %q peers %+v counts %+v", m.id, m.lives.dead.Load(), s.Epoch, s.Base,
			s.Frontier, s.Safe, s.Leased, s.Tailer, s.Reigns, s.Standby, s.Problem, s.Peers, s.Counts)
	}
	w.t.Logf("flush %d, tailer %+v, rows %v, took %v", w.flush, w.tailer, w.rows, w.took)
}

// leased tells whether all of these have leases.
func leased(ms ...*machine) func() bool {
	return func() bool {
		for _, m := range ms {
			if !m.clock.Index().Leased() {
				return false
			}
		}
		return true
	}
}

// safe tells whether S is n at all of these.
func safe(n position.N, ms ...*machine) func() bool {
	return func() bool {
		for _, m := range ms {
			if m.clock.Index().Safe() < n {
				return false
			}
		}
		return true
	}
}

// reigning is the machine that is the tailer.
func (w *world) reigning() *machine {
	w.mu.Lock()
	holder := w.tailer.Holder
	w.mu.Unlock()
	for _, m := range w.machines {
		if m.id == holder && !m.lives.dead.Load() && m.node.reigning() != nil {
			return m
		}
	}
	return nil
}
