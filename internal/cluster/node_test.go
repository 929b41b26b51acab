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
