package cluster

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// TestChaos lets all that can go wrong go wrong at random, for as many seeds as
// PANDO_SEEDS says, and then sees that all is well again.
func TestChaos(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 5
	}
	if os.Getenv("PANDO_PROVE") != "" {
		seeds = 1000
	}
	first := 0
	if s, err := strconv.Atoi(os.Getenv("PANDO_SEEDS")); err == nil {
		seeds = s
	}
	if s, err := strconv.Atoi(os.Getenv("PANDO_SEED")); err == nil {
		first, seeds = s, 1
	}
	commits, leases, ran := 0, 0, 0
	begun := time.Now()
	for seed := first; seed < first+seeds; seed++ {
		if os.Getenv("PANDO_PROVE")+os.Getenv("PANDO_SEEDS") == "" && time.Since(begun) > 20*time.Second {
			break // a slow machine, with the race detector
		}
		ran++
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := chaos(t, uint64(seed))
				commits += w.writes
				leases += w.leases
			})
		})
	}
	t.Logf("%d seeds, %d commits, %d looks at a server with a lease", ran, commits, leases)
}

func chaos(t *testing.T, seed uint64) *world {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	stop := w.watchOver()
	rate := 0.0 // by how much clocks run apart
	if rnd.IntN(3) == 0 {
		rate = 0.08
	}
	n := 2 + rnd.IntN(4)
	for i := range n {
		w.startAt(string(rune('a'+i)), 1+(rnd.Float64()-0.5)*rate)
	}
	between := time.Duration(1+rnd.IntN(30)) * time.Millisecond
	hidden := rnd.IntN(3) == 0
	patience := time.Duration(50+rnd.IntN(1500)) * time.Millisecond // between faults
	next := time.Now().Add(time.Second)
	end := time.Now().Add(15 * time.Second)
	for time.Now().Before(end) && !t.Failed() {
		time.Sleep(time.Duration(rnd.Int64N(int64(between))))
		switch rnd.IntN(8) {
		case 0:
			w.noise()
		default:
			shown := time.Duration(0)
			if hidden && rnd.IntN(3) == 0 {
				shown = time.Duration(rnd.IntN(80)) * time.Millisecond
			}
			w.commit(position.Tag(1+rnd.IntN(50)), shown)
			w.writes++
		}
		if time.Now().After(next) {
			w.fault(rnd)
			next = time.Now().Add(time.Duration(rnd.Int64N(int64(patience))))
		}
	}
	// Everything is mended, and everybody knows everything.
	w.setDown(false)
	for _, m := range w.machines {
		m.lives.offline.Store(false)
		m.lives.refuses.Store(false)
		m.lives.lag.Store(0)
		m.lives.slow.Store(0)
		if m.lives.dead.Load() {
			w.start(m.id)
		} else if m.lives.frozen.Load() {
			m.thaw()
		}
	}
	w.mend()
	if !t.Failed() {
		w.until("all have leases", 5*time.Second, leased(w.machines...))
		last := w.commit(1, 0)
		w.until("the last commit is safe", 3*time.Second, safe(last, w.machines...))
	}
	for _, m := range w.machines {
		m.halt()
	}
	stop()
	return w
}

// fault makes something worse or better.
func (w *world) fault(rnd *rand.Rand) {
	m := w.machines[rnd.IntN(len(w.machines))]
	if r := w.reigning(); r != nil && rnd.IntN(3) == 0 {
		m = r
	}
	dead, frozen := m.lives.dead.Load(), m.lives.frozen.Load()
	if w.verbose {
		defer func(k int) {
			fmt.Fprintln(os.Stderr, time.Since(w.born), "fault", k, m.id, "dead", dead, "frozen", frozen)
		}(0)
	}
	switch what := rnd.IntN(30); {
	case dead:
		w.start(m.id)
	case frozen:
		if rnd.IntN(8) == 0 {
			m.kill()
		} else {
			m.thaw()
		}
	case what < 5:
		m.kill()
	case what < 10:
		m.freeze()
	case what < 11:
		m.halt()
	case what < 13:
		m.lives.offline.Store(!m.lives.offline.Load())
	case what < 15:
		if other := w.machines[rnd.IntN(len(w.machines))]; other != m {
			w.cut(m, other, true)
		}
	case what < 17:
		w.mend()
	case what < 19:
		w.tear(m)
	case what < 20:
		w.dropSlots()
	case what < 21:
		w.failover(rnd.IntN(3))
	case what < 22:
		w.mu.Lock()
		down := w.down
		w.mu.Unlock()
		w.setDown(!down)
	case what < 24:
		m.lives.lag.Store(rnd.Int64N(2) * rnd.Int64N(int64(time.Second)))
	case what < 28:
		m.lives.slow.Store(rnd.Int64N(2) * rnd.Int64N(int64(500*time.Millisecond)))
	case what < 30:
		m.lives.refuses.Store(!m.lives.refuses.Load())
		if m.lives.refuses.Load() && rnd.IntN(2) == 0 {
			w.tear(m)
		}
	}
}

// mend makes all ways carry again.
func (w *world) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.allEnds {
		c[0].c.set(func() { c[0].c.mute = false })
	}
	w.cuts = nil
}

// tear ends all of a server's connections.
func (w *world) tear(m *machine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range m.ends() {
		e.c.tear()
	}
}
