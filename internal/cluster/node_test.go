package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// scene runs f in a world of n servers that all have leases.
func scene(t *testing.T, n int, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.watchOver()
		for i := range n {
			w.start(string(rune('a' + i)))
		}
		defer func() {
			for _, m := range w.machines {
				if !m.lives.dead.Load() {
					if m.lives.frozen.Load() {
						m.thaw()
					}
					m.halt()
				}
			}
			stop()
			if w.leases == 0 {
				t.Error("nobody ever had a lease")
			}
		}()
		w.until("all have leases", 5*time.Second, leased(w.machines...))
		f(t, w)
	})
}

func TestAWriteIsSafeWhenAllKnowOfIt(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		n := w.commit(1, 0)
		took := w.until("the commit is safe everywhere", time.Second, safe(n, w.machines...))
		if took > 5*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		for _, m := range w.machines {
			x := m.clock.Index()
			if x.Covers([]position.Tag{1}) != n || x.Covers([]position.Tag{2}) == n {
				t.Errorf("%s: the tags are not those of the commit", m.id)
			}
		}
		time.Sleep(5 * time.Second)
		if !leased(w.machines...)() {
			t.Error("a lease has ended")
		}
		if len(w.took) != 1 {
			t.Errorf("tailers: %v", w.took)
		}
	})
}

func TestACommitIsNotSafeBeforeItIsVisible(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		first := w.commit(1, 300*time.Millisecond)
		second := w.commit(2, 0)
		time.Sleep(250 * time.Millisecond)
		for _, m := range w.machines {
			if s := m.clock.Index().Safe(); s >= first {
				t.Errorf("%s: S is %d, and %d cannot be seen", m.id, s, first)
			}
		}
		w.until("both are safe", 100*time.Millisecond, safe(second, w.machines...))
	})
}

func TestAJoinerTakesOverWhatIsKnown(t *testing.T) {
	scene(t, 2, func(t *testing.T, w *world) {
		n := w.commit(3, 0)
		w.until("it is safe", time.Second, safe(n, w.machines...))
		c := w.start("c")
		took := w.until("the joiner has a lease", time.Second, leased(c))
		if took > 150*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		x, old := c.clock.Index(), w.reigning().clock.Index()
		if x.Base() != old.Base() || x.Covers([]position.Tag{3}) != n {
			t.Errorf("base %d, tag at %d; want %d and %d", x.Base(), x.Covers([]position.Tag{3}), old.Base(), n)
		}
		n = w.commit(3, 0)
		w.until("the next commit is safe", 10*time.Millisecond, safe(n, w.machines...))
	})
}

// Who has a lease has one by what the tailer says, too.
func TestTheTailerKnowsOfLeases(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		tailer, c := w.reigning(), w.follower()
		check := func(want int) {
			t.Helper()
			leases := 0
			for _, p := range tailer.node.Status().Peers {
				for _, m := range w.machines {
					if m.id == p.ID && p.Lease == 0 && m.clock.Index().Leased() {
						t.Errorf("%s has a lease, and the tailer says that it has none", m.id)
					}
				}
				if p.Lease > 550*time.Millisecond {
					t.Errorf("%s: %v", p.ID, p.Lease)
				}
				if p.Lease > 0 {
					leases++
				}
			}
			if leases != want {
				t.Errorf("%d leases, want %d", leases, want)
			}
		}
		check(3)
		c.freeze()
		time.Sleep(300 * time.Millisecond)
		check(3)
		time.Sleep(300 * time.Millisecond)
		check(2)
	})
}

// A member that is frozen holds S back for as long as it may have a lease, and no longer.
func TestAFrozenMemberIsWaitedForUntilItsLeaseHasEnded(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		c := w.follower()
		others := w.but(c)
		c.freeze()
		n := w.commit(1, 0)
		took := w.until("it is safe", time.Second, safe(n, others...))
		if c.clock.Index().Leased() {
			t.Error("it was not waited for")
		}
		if took < 450*time.Millisecond || took > 600*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if !leased(others...)() {
			t.Error("the others have no lease")
		}
		n = w.commit(1, 0)
		w.until("the next is safe at once", 10*time.Millisecond, safe(n, others...))
		c.thaw()
		w.until("it has a lease again", time.Second, leased(c))
		w.until("it knows", time.Second, safe(n, c))
		if base, old := c.clock.Index().Base(), others[0].clock.Index().Base(); base != old {
			t.Errorf("it has begun anew, at %d", base)
		}
	})
}

// One that is slow to note commits is not waited for longer than one that is frozen.
func TestALateMemberIsGivenNoLease(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		c := w.follower()
		others := w.but(c)
		c.applyErr = func() error { time.Sleep(3 * time.Second); return nil }
		n := w.commit(1, 0)
		took := w.until("it is safe", time.Second, safe(n, others...))
		if took > 700*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		c.applyErr = nil
		w.until("it has a lease again", 4*time.Second, leased(c))
		if !c.clock.Index().Leased() || c.clock.Index().Safe() < n {
			t.Error("it knows nothing")
		}
	})
}

// One that takes longer to join than a connection may be silent is not cut off: it would
// begin anew for ever.
func TestASlowJoinerComesIn(t *testing.T) {
	scene(t, 2, func(t *testing.T, w *world) {
		c := &machine{w: w, id: "c", rate: 1, applyErr: func() error { time.Sleep(5 * time.Second); return nil }}
		w.machines = append(w.machines, c)
		c.boot()
		w.until("it has come to its store", time.Second, func() bool { return c.node.Status().Problem == "" && c.node.f.known.Load() > 0 })
		time.Sleep(time.Second)
		c.applyErr = nil
		w.until("it has a lease", 5*time.Second, leased(c))
		if got := c.node.Status().Counts; got.Joins != 1 || got.Resumed != 0 {
			t.Errorf("it has begun %d times, and come back %d times", got.Joins, got.Resumed)
		}
	})
}

func TestAMemberWhoseStoreFailsComesAgain(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		c := w.follower()
		left := 5
		c.applyErr = func() error {
			if left--; left >= 0 {
				return errDown
			}
			return nil
		}
		n := w.commit(1, 0)
		w.until("it is safe", time.Second, safe(n, w.machines...))
		w.until("it has a lease", time.Second, leased(c))
		if got := c.node.Status().Counts; got.Joins != 1 || got.Resumed < 5 {
			t.Errorf("counts %+v", got)
		}
	})
}

func TestAMemberThatStopsIsNotWaitedFor(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		c := w.follower()
		c.halt()
		n := w.commit(1, 0)
		if took := w.until("it is safe", time.Second, safe(n, w.but(c)...)); took > 5*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if _, ok := w.rows[c.id]; ok {
			t.Error("its row is still there")
		}
	})
}

// follower is a machine that is neither the tailer nor ready to be it.
func (w *world) follower() *machine {
	var ready *machine
	w.until("somebody is ready to be the tailer", time.Second, func() bool { ready = w.ready(); return ready != nil })
	for _, m := range w.machines {
		if m != ready && m != w.reigning() && !m.lives.dead.Load() {
			return m
		}
	}
	w.t.Fatal("there is none")
	return nil
}

// ready is the machine that is ready to be the tailer.
func (w *world) ready() *machine {
	for _, m := range w.machines {
		if !m.lives.dead.Load() && m.node.spare.ready() {
			return m
		}
	}
	return nil
}

func (w *world) but(not ...*machine) (list []*machine) {
next:
	for _, m := range w.machines {
		for _, o := range not {
			if m == o {
				continue next
			}
		}
		list = append(list, m)
	}
	return list
}
