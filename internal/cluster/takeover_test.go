package cluster

import (
	"testing"
	"time"
)

// keptBase fails if anybody has begun anew.
func keptBase(t *testing.T, ms []*machine, joins uint64) {
	t.Helper()
	for _, m := range ms {
		if got := m.node.Status().Counts; got.Joins != joins {
			t.Errorf("%s has begun anew: %+v", m.id, got)
		}
	}
}

// oneOrigin is the origin that all have in common.
func oneOrigin(t *testing.T, ms []*machine) uint64 {
	t.Helper()
	origin := ms[0].clock.Index().Origin()
	for _, m := range ms {
		if got := m.clock.Index().Origin(); got != origin || got == 0 {
			t.Errorf("%s has the origin %x, %s %x", m.id, got, ms[0].id, origin)
		}
	}
	return origin
}

func TestAKilledTailerIsReplacedWithoutAGap(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		w.follower() // somebody is ready
		ready := w.ready()
		old := w.reigning()
		rest := w.but(old)
		before := w.commit(1, 0)
		old.kill()
		n := w.commit(1, 0)
		without, begun := time.Duration(0), time.Now()
		for range 1500 {
			time.Sleep(time.Millisecond)
			if !leased(rest...)() {
				without += time.Millisecond
			}
			if safe(n, rest...)() {
				break
			}
		}
		t.Logf("without a lease for %v, the next commit is safe after %v", without, time.Since(begun))
		if without > 50*time.Millisecond || !safe(n, rest...)() || !safe(before, rest...)() {
			t.Errorf("without a lease for %v", without)
			w.dump()
		}
		if w.reigning() != ready {
			t.Error("another one than who was ready is the tailer")
		}
		keptBase(t, rest, 1)
		again := w.start(old.id)
		w.until("the killed one is back", time.Second, leased(again))
		if again.clock.Index().Base() != rest[0].clock.Index().Base() {
			t.Error("it did not take over what the others know")
		}
		oneOrigin(t, w.machines)
	})
}

func TestAFrozenTailerIsReplacedWithoutAGap(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		w.follower()
		old := w.reigning()
		rest := w.but(old)
		begun := time.Now()
		old.freeze()
		n := w.commit(1, 0)
		w.until("the leases end", time.Second, func() bool { return !leased(rest...)() })
		w.until("there are leases again", time.Second, leased(rest...))
		t.Logf("leases are back after %v", time.Since(begun))
		if took := time.Since(begun); took > time.Second {
			t.Errorf("leases are back after %v", took)
		}
		w.until("the commit is safe", time.Second, safe(n, rest...))
		t.Logf("safe after %v", time.Since(begun))
		keptBase(t, rest, 1)
		old.thaw()
		w.until("the thawed one follows", time.Second, leased(old))
		n = w.commit(1, 0)
		w.until("the next commit is safe", 10*time.Millisecond, safe(n, w.machines...))
		keptBase(t, w.machines, 1)
	})
}

// While it was frozen the others went on; what it had made up before arrives late.
func TestAThawedTailerDoesNoHarm(t *testing.T) {
	for _, frozen := range []time.Duration{50, 200, 390, 410, 500, 700, 900, 1100, 1500, 3000} {
		scene(t, 4, func(t *testing.T, w *world) {
			w.follower()
			old := w.reigning()
			for i := range 20 {
				w.commit(1, 0)
				if i == 10 {
					old.freeze()
				}
				time.Sleep(time.Millisecond)
			}
			end := time.Now().Add(frozen * time.Millisecond)
			for time.Now().Before(end) {
				w.commit(1, time.Millisecond)
				time.Sleep(7 * time.Millisecond)
			}
			old.thaw()
			for range 100 {
				w.commit(1, time.Millisecond)
				time.Sleep(3 * time.Millisecond)
			}
			time.Sleep(time.Second)
			n := w.commit(1, 0)
			w.until("all is well", time.Second, safe(n, w.machines...))
		})
	}
}

func TestATailerThatStopsHandsOver(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		w.follower()
		old := w.reigning()
		rest := w.but(old)
		old.halt()
		begun := time.Now()
		n := w.commit(1, 0)
		w.until("the commit is safe", time.Second, safe(n, rest...))
		took := time.Since(begun)
		t.Logf("safe after %v", took)
		if took > 60*time.Millisecond || !leased(rest...)() {
			t.Errorf("it took %v; leases: %v", took, leased(rest...)())
		}
		keptBase(t, rest, 1)
	})
}

// The tailer does not reach the database any more, but its members.
func TestATailerWithoutADatabaseIsReplaced(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		w.follower()
		old := w.reigning()
		rest := w.but(old)
		old.lives.offline.Store(true)
		n := w.commit(1, 0)
		w.until("there is another", 2*time.Second, func() bool { r := w.reigning(); return r != nil && r != old })
		w.until("the commit is safe", time.Second, safe(n, rest...))
		w.until("there are leases", time.Second, leased(rest...))
		keptBase(t, rest, 1)
		old.lives.offline.Store(false)
		w.until("the old one follows", time.Second, leased(old))
	})
}

// One that is cut off from the tailer only has no lease, and disturbs nobody.
func TestAMemberThatIsCutOff(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		c := w.follower()
		w.cut(c, w.reigning(), true)
		time.Sleep(3 * time.Second)
		if len(w.took) != 1 {
			t.Errorf("tailers: %v", w.took)
		}
		if c.clock.Index().Leased() || !leased(w.but(c)...)() {
			t.Error("leases are not as they should be")
		}
		w.cut(c, w.reigning(), false)
		w.until("it is back", 2*time.Second, leased(c))
	})
}

// All others live and cannot reach it: one whom they can reach takes its place.
func TestATailerThatNobodyReachesGivesUp(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		w.follower()
		old := w.reigning()
		rest := w.but(old)
		for _, m := range rest {
			w.cut(m, old, true)
		}
		took := w.until("there is another", 15*time.Second, func() bool { r := w.reigning(); return r != nil && r != old })
		t.Logf("after %v", took)
		w.until("the others have leases", time.Second, leased(rest...))
		time.Sleep(20 * time.Second)
		if !leased(rest...)() || len(w.took) != 2 {
			t.Errorf("tailers: %v", w.took)
		}
		w.mend()
		w.until("it follows", 2*time.Second, leased(old))
	})
}

func TestAllStartAgain(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		for range 3 {
			for _, m := range w.machines {
				m.kill()
			}
			time.Sleep(100 * time.Millisecond)
			w.commit(1, 0)
			before := w.machines[0].clock.Index().Origin()
			for _, m := range w.machines {
				w.start(m.id)
			}
			took := w.until("all have leases", 3*time.Second, leased(w.machines...))
			if origin := oneOrigin(t, w.machines); origin == before {
				t.Error("those who know nothing of before go on with its origin")
			}
			t.Logf("after %v", took)
			n := w.commit(1, 0)
			w.until("the commit is safe", time.Second, safe(n, w.machines...))
		}
	})
}

func TestOneServerAlone(t *testing.T) {
	scene(t, 1, func(t *testing.T, w *world) {
		n := w.commit(1, 0)
		w.until("the commit is safe", 5*time.Millisecond, safe(n, w.machines...))
		w.machines[0].kill()
		w.start("a")
		took := w.until("it has a lease", time.Second, leased(w.machines...))
		t.Logf("after %v", took)
		if took > 100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// One that cannot reach the tailer, whose machine says that nobody listens there, tries
// at once to take its place. The tailer lives, and goes on without it until its last
// renewal has run out: so the new one grants no lease before.
func TestATailerThatLivesIsReplacedAtOnce(t *testing.T) {
	for phase := range time.Duration(5) {
		for _, lag := range []time.Duration{5, 20} {
			scene(t, 4, func(t *testing.T, w *world) {
				replaceLiving(t, w, phase*10*time.Millisecond, lag*time.Millisecond)
			})
		}
	}
}

// replaceLiving has one take over that does not count at the tailer any more, which
// hears of it late, and whose log then is late.
func replaceLiving(t *testing.T, w *world, phase, lag time.Duration) {
	busy := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			w.commit(1, 0)
		}
	}
	w.follower()
	next, old := w.ready(), w.reigning()
	busy(100 * time.Millisecond)
	w.cut(next, old, true)
	busy(700*time.Millisecond + phase)
	next.lives.lag.Store(int64(lag))
	old.lives.slow.Store(int64(350 * time.Millisecond))
	old.lives.refuses.Store(true)
	w.mu.Lock()
	for _, e := range next.ends() {
		e.c.tear()
	}
	w.mu.Unlock()
	busy(600 * time.Millisecond)
	if w.reigning() != next {
		t.Errorf("tailers: %v", w.took)
	}
	w.mend()
	next.lives.lag.Store(0)
	n := w.commit(1, 0)
	w.until("the commit is safe", 2*time.Second, safe(n, w.machines...))
}

// Who is ready to be the tailer and does not hear from it what may be forgotten keeps no
// more than it may, and is ready again when it hears of it again.
func TestWhoIsReadyKeepsNoLogWithoutBound(t *testing.T) {
	scene(t, 2, func(t *testing.T, w *world) {
		w.keepBytes = 1000
		cut := w.start("bounded")
		for _, m := range w.machines {
			if m != cut && m != w.reigning() {
				m.halt()
			}
		}
		w.until("it is ready", 10*time.Second, cut.node.spare.ready)
		w.cut(cut, w.reigning(), true)
		most := 0
		for range 2000 {
			w.commit(1, 0)
			time.Sleep(time.Millisecond)
			cut.node.spare.mu.Lock()
			if tail := cut.node.spare.tail; tail != nil {
				most = max(most, tail.space(0))
			}
			cut.node.spare.mu.Unlock()
		}
		w.cut(cut, w.reigning(), false)
		if most < 4*w.keepBytes || most > 20*w.keepBytes { // what comes between two looks is beyond
			t.Errorf("it kept %d bytes", most)
		}
		w.until("it is whole again", 10*time.Second, leased(cut))
		w.until("it is ready again", 10*time.Second, cut.node.spare.ready)
		n := w.commit(1, 0)
		w.until("a commit is safe", time.Second, safe(n, cut, w.reigning()))
	})
}

// A tailer whose row this server takes anew, because it does not know that it holds it
// still, is over: it could not hear so while the database cannot be reached.
func TestAReignTakenAnewEndsTheOneBefore(t *testing.T) {
	scene(t, 1, func(t *testing.T, w *world) {
		m := w.reigning()
		old := m.node.reigning()
		rows := &registry{w, m.lives}
		row, err := rows.Tailer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		row, ok, err := rows.TakeTailer(t.Context(), row, m.id)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		m.lives.offline.Store(true)
		now := m.node.now()
		m.node.crown(t.Context(), row, now, now)
		w.until("the one before is over", 10*time.Millisecond, func() bool {
			select {
			case <-old.over:
				return true
			default:
				return false
			}
		})
		m.lives.offline.Store(false)
		n := w.commit(1, 0)
		w.until("a commit is safe", 5*time.Second, safe(n, m))
	})
}

// Two that cannot reach each other, though both reach the database, take turns, as
// neither knows whether the other is reached by anybody: but ever more rarely.
func TestTwoThatCannotReachEachOther(t *testing.T) {
	scene(t, 2, func(t *testing.T, w *world) {
		a, b := w.machines[0], w.machines[1]
		w.cut(a, b, true)
		const minutes = 10
		takeovers := func() uint64 { return a.node.Status().Counts.Takeovers + b.node.Status().Counts.Takeovers }
		before, nobody := takeovers(), 0
		for second := range minutes * 60 {
			if second == minutes*60/2 {
				t.Logf("in the first half: %d takeovers, nobody served for %d s", takeovers()-before, nobody)
				before, nobody = takeovers(), 0
			}
			time.Sleep(time.Second)
			if !leased(a)() && !leased(b)() {
				nobody++
			}
		}
		t.Logf("in the second half: %d takeovers, nobody served for %d s", takeovers()-before, nobody)
		if n := takeovers() - before; n > 3 || nobody > 10 {
			t.Errorf("%d takeovers in %d minutes, nobody served for %d s", n, minutes/2, nobody)
		}
		w.cut(a, b, false)
		w.until("both are whole again", 10*time.Second, leased(a, b))
	})
}

// While the tailer's row cannot be renewed nobody is given a lease, however soon he
// answers. Nobody is called late for it, and who is ready to be the next tailer stays so.
func TestTheRowIsNotRenewedForAWhile(t *testing.T) {
	scene(t, 3, func(t *testing.T, w *world) {
		w.follower()
		tailer, ready := w.reigning(), w.ready()
		dropped := tailer.node.Status().Counts.Dropped
		tailer.lives.slow.Store(int64(time.Hour))
		without, unready := 0, 0
		for range 3000 {
			time.Sleep(time.Millisecond)
			if !leased(w.machines...)() {
				without++
			}
			if !ready.node.spare.ready() {
				unready++
			}
		}
		tailer.lives.slow.Store(0)
		w.until("all have a lease again", 2*time.Second, leased(w.machines...))
		if got := tailer.node.Status().Counts.Dropped - dropped; got > 0 || without < 2000 {
			t.Errorf("%d were called late; without a lease for %d ms", got, without)
		}
		if unready > 0 || w.reigning() != tailer || w.ready() != ready {
			t.Errorf("who was ready is not for %d ms; now %s is, behind %s", unready, w.ready().id, w.reigning().id)
		}
	})
}
