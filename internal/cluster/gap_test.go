package cluster

import (
	"testing"
	"time"

	"github.com/pandobase/pando/internal/position"
)

func TestALostLogIsAGapForAll(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		old := w.commit(1, 0)
		w.until("the commit is safe", time.Second, safe(old, w.machines...))
		w.dropSlots()
		n := w.commit(1, 0)
		w.until("all have begun anew", time.Second, func() bool {
			for _, m := range w.machines {
				if m.node.Status().Counts.Joins != 2 {
					return false
				}
			}
			return true
		})
		w.until("there are leases", time.Second, leased(w.machines...))
		if base := w.machines[0].clock.Index().Base(); base < n {
			t.Errorf("the base is %d, and %d was not read", base, n)
		}
		n = w.commit(1, 0)
		w.until("the next commit is safe", 600*time.Millisecond, safe(n, w.machines...))
	})
}

// After a gap, what the primary has on disk and does not show yet is not in the log.
func TestAfterAGapSWaitsForWhatIsNotVisible(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		hidden := w.commit(1, 3*time.Second)
		time.Sleep(10 * time.Millisecond)
		w.dropSlots()
		w.until("there are leases", 2*time.Second, leased(w.machines...))
		n := w.commit(2, 0)
		time.Sleep(time.Second)
		for _, m := range w.machines {
			if s := m.clock.Index().Safe(); s >= hidden && s >= n {
				t.Errorf("%s: S is %d; %d cannot be seen", m.id, s, hidden)
			}
		}
		w.until("the commits are safe", 3*time.Second, safe(n, w.machines...))
	})
}

// A primary that has crashed shows what was waiting for its standby, which may be lost with
// the primary until that is back. A renewal of before the crash says nothing of it.
func TestAfterACrashSWaitsForTheStandby(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		before := w.commit(1, 0)
		w.until("the commit is safe", time.Second, safe(before, w.machines...))
		waiting := w.commit(1, time.Hour)
		time.Sleep(10 * time.Millisecond)
		w.crash()
		for range 1000 {
			time.Sleep(time.Millisecond)
			for _, m := range w.machines {
				if s := m.clock.Index().Safe(); s >= waiting {
					t.Fatalf("%s: S is %d; %d has no standby", m.id, s, waiting)
				}
			}
		}
		w.confirm()
		n := w.commit(1, 0)
		w.until("the standby is back", time.Second, safe(n, w.machines...))
		w.until("there are leases", time.Second, leased(w.machines...))
	})
}

func TestAFailoverIsAnotherEpoch(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		for range 10 {
			w.commit(1, 0)
		}
		begun := time.Now()
		w.setDown(true)
		time.Sleep(800 * time.Millisecond)
		w.failover(3)
		w.setDown(false)
		back := time.Now()
		w.until("all are in the new epoch", 3*time.Second, func() bool {
			for _, m := range w.machines {
				if m.clock.Index().Epoch() != w.epoch {
					return false
				}
			}
			return leased(w.machines...)()
		})
		t.Logf("leases are back %v after the failure, %v after the promotion", time.Since(begun), time.Since(back))
		n := w.commit(1, 0)
		w.until("a commit is safe", time.Second, safe(n, w.machines...))
	})
}

func TestAPromotionWithoutAnOutage(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		for range 5 {
			w.commit(1, 20*time.Millisecond)
			w.failover(2)
			w.commit(1, 0)
			time.Sleep(300 * time.Millisecond)
		}
		w.until("leases are back", 3*time.Second, leased(w.machines...))
		n := w.commit(1, 0)
		w.until("a commit is safe", time.Second, safe(n, w.machines...))
	})
}

// It is noticed also if this server hears first that it is the tailer no more.
func TestARestoredDatabaseIsAnotherIncarnation(t *testing.T) {
	for after := time.Duration(0); after < 100*time.Millisecond; after += 4 * time.Millisecond {
		scene(t, 3, func(t *testing.T, w *world) {
			before := w.flush
			for range 10 {
				w.commit(1, 0)
			}
			time.Sleep(100*time.Millisecond + after)
			w.restore(before)
			w.until("it was noticed", 5*time.Second, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.epoch.Incarnation == 1 })
			w.until("all are in the new epoch", 3*time.Second, func() bool {
				for _, m := range w.machines {
					if m.clock.Index().Epoch() != w.epoch {
						return false
					}
				}
				return leased(w.machines...)()
			})
			n := w.commit(1, 0)
			w.until("a commit is safe", 2*time.Second, safe(n, w.machines...))
		})
	}
}

// A segment of the log that is left, for a base backup for instance, is no copy.
func TestALogThatIsLeftIsNotRestored(t *testing.T) {
	for _, tailerDies := range []bool{false, true} {
		scene(t, 3, func(t *testing.T, w *world) {
			n := w.commit(1, 0)
			w.until("a commit is safe", time.Second, safe(n, w.machines...))
			written := w.leaveSegment()
			time.Sleep(300 * time.Millisecond)
			left := w.machines
			if tailerDies {
				dead := w.reigning()
				left = w.but(dead)
				dead.kill()
				w.until("another one is the tailer", 5*time.Second, func() bool { m := w.reigning(); return m != nil && m != dead })
				w.until("leases are back", 5*time.Second, leased(left...))
			}
			written()
			n = w.commit(1, 0)
			w.until("a commit is safe", 3*time.Second, safe(n, left...))
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.epoch.Incarnation != 0 {
				t.Error("it was taken for a copy")
			}
		})
	}
}

// A server was away while the database was put back from a copy, whose log has grown
// beyond what that server knew when it comes back. What it knew is of what is not there
// any more.
func TestNobodyContinuesByTheLogOfACopy(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		away := w.follower()
		copied := w.flush
		old := w.commit(1, 0)
		for range 10 {
			old = w.commit(2, 0)
		}
		w.until("all know of it", time.Second, safe(old, w.machines...))
		known := away.clock.Index()
		away.lives.offline.Store(true)
		others := w.but(away)
		for _, m := range others {
			w.cut(away, m, true)
			m.kill()
		}
		w.restore(copied)
		w.mu.Lock()
		w.restored, w.safest = false, 0 // nobody is left who knew better, but who is away
		w.mu.Unlock()
		for _, m := range others {
			w.start(m.id)
		}
		w.until("the others have leases", 5*time.Second, leased(others...))
		for n := w.flush; n <= old; n = w.flush {
			w.commit(3, 0)
			time.Sleep(5 * time.Millisecond)
		}
		for _, m := range others {
			w.cut(away, m, false)
		}
		away.lives.offline.Store(false)
		away.lives.notify()
		w.until("it has a lease", 5*time.Second, leased(away))
		x := away.clock.Index()
		if x == known || x.Instance() == known.Instance() {
			t.Error("it goes on with what it knew")
		}
		if s := known.Frontier(); x.Valid(s, []position.Tag{1}) {
			t.Errorf("what it cached at %d is believed, from %d on", s, x.Base())
		}
	})
}
