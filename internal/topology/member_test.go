package topology_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/position"
)

func TestReplicaBeyondTheFork(t *testing.T) {
	nodes := map[string]*node{"h1": promoted(2, 490, 520), "h2": replica(1, 500), "h3": replica(1, 490)}
	in(t, "h1 h2 h3", nodes, func(t *testing.T, w *world) {
		w.want("h1", "h3")
		if m := w.member("h2"); m.Why != "it has more of timeline 1 than is true: that one was left at 0/1EA for timeline 2" {
			t.Errorf("%+v", m)
		}
		w.set(func(n map[string]*node) { n["h3"].Replay = 491 })
		w.pass(round)
		w.want("h1", "")
	})
}

func TestNoHistory(t *testing.T) {
	nodes := map[string]*node{"h1": primary(2, 520), "h2": replica(1, 400)}
	in(t, "h1 h2", nodes, func(t *testing.T, w *world) {
		w.want("h1", "")
		if !w.State().History().Void(position.Token{Timeline: 1, N: 3}) {
			t.Error("a position of before is taken for true")
		}
	})
}

func TestReplicaAheadOfTheNews(t *testing.T) {
	in(t, "h1 h2 h3", three(), func(t *testing.T, w *world) {
		w.set(func(n map[string]*node) { n["h1"].frozen, n["h2"].frozen = true, true; n["h3"] = replica(2, 500) })
		w.pass(300 * time.Millisecond)
		w.want("", "")
		if m := w.member("h3"); m.Why != "timeline 2 is new, and its primary has not been found yet" {
			t.Errorf("%+v", m)
		}
		w.set(func(n map[string]*node) { n["h2"] = promoted(2, 490, 500) })
		w.pass(310 * time.Millisecond)
		w.want("h2", "h3")
	})
	// At the start there is nothing to be lost.
	in(t, "h1 h3", map[string]*node{"h1": {err: errors.New("refused")}, "h3": replica(2, 500)}, func(t *testing.T, w *world) { w.want("", "h3") })
}

func TestRestartIsANewLife(t *testing.T) {
	in(t, "h1 h2 h3", three(), func(t *testing.T, w *world) {
		p, r := w.State().Primary(), w.State().Replicas()[0]
		p.Learn(900)
		r.Learn(900)
		w.set(func(n map[string]*node) { n["h1"].Flush, n["h1"].Instance, n["h2"].Instance = 900, 2, 2 })
		w.pass(round)
		w.want("h1", "h2 h3")
		if !over(p.Gone()) || !over(r.Gone()) || !p.Silent() {
			t.Error("the old life goes on")
		}
		for _, m := range w.State().Replicas() {
			if m.Reached() > 500 {
				t.Errorf("what was learnt of the last life is believed of %s", m.Host())
			}
		}
		// A replica that was set back, by a server that does not tell its start.
		r = w.State().Replicas()[0]
		w.set(func(n map[string]*node) { n[r.Host()].Replay = 10 })
		w.pass(round)
		if !over(r.Gone()) || w.State().Replica(11).Host() == r.Host() {
			t.Error("a replica that was set back is as far as it was")
		}
	})
}

func TestRestoredPrimary(t *testing.T) {
	in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
		w.set(func(n map[string]*node) { n["h1"] = primary(1, 300) })
		w.pass(round)
		w.want("", "h2")
		if m := w.member("h1"); !strings.HasPrefix(m.Why, "its log of timeline 1 ends before positions that it had reached") {
			t.Errorf("%+v", m)
		}
	})
}

// What was read of the primary's log between two probes is not forgotten.
func TestRestoredBetweenProbes(t *testing.T) {
	for _, learn := range []func(w *world){
		func(w *world) { w.State().Primary().Learn(700) },
		func(w *world) { w.known.Store(700) },
	} {
		in(t, "h1", map[string]*node{"h1": primary(1, 500)}, func(t *testing.T, w *world) {
			learn(w)
			w.set(func(n map[string]*node) { n["h1"] = primary(1, 600); n["h1"].Instance = 2 })
			w.pass(round)
			w.want("", "")
			w.set(func(n map[string]*node) { n["h1"].Flush = 700 })
			w.pass(round)
			w.want("h1", "")
		})
	}
	// A probe is not held to what became known behind its question.
	in(t, "h1", map[string]*node{"h1": primary(1, 500)}, func(t *testing.T, w *world) {
		w.set(func(n map[string]*node) {
			h1 := n["h1"]
			h1.asked = func() { h1.Flush, h1.asked = 550, nil; w.known.Store(550) }
		})
		w.pass(round)
		w.want("h1", "")
		if told := strings.Join(w.told(), "; "); strings.Contains(told, "restored") {
			t.Error(told)
		}
	})
}

func TestSuspect(t *testing.T) {
	in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
		w.set(func(n map[string]*node) { n["h1"].slow = 5 * time.Millisecond })
		w.pass(150 * time.Millisecond)
		h1 := w.State().Primary()
		h1.Suspect()
		w.want("", "h2")
		if h1.Unanswered() {
			t.Error("it has answered every probe")
		}
		if got := w.Status().Problem; got != "a connection to the primary h1 failed just now" {
			t.Errorf("problem: %q", got)
		}
		began := time.Now()
		if m, err := w.WaitPrimary(t.Context()); err != nil || m != h1 {
			t.Fatalf("%v, %v", m, err)
		}
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("the probe came after %v", took)
		}
		// A probe that was under way already proves nothing.
		w.set(func(n map[string]*node) { n["h1"].slow = 50 * time.Millisecond })
		w.pass(125 * time.Millisecond)
		h1.Suspect()
		w.pass(30 * time.Millisecond)
		w.want("", "h2")
		w.pass(60 * time.Millisecond)
		w.want("h1", "h2")
		// One that does not answer.
		w.set(func(n map[string]*node) { n["h1"].frozen = true })
		w.pass(time.Second)
		if !h1.Unanswered() {
			t.Error("it answers nothing")
		}
		w.set(func(n map[string]*node) { n["h1"].frozen = false })
		w.pass(time.Second)
		w.want("h1", "h2")
		if h1.Unanswered() {
			t.Error("it answers again")
		}
	})
}

func TestLag(t *testing.T) {
	nodes := three()
	nodes["h2"].LagMS, nodes["h3"].LagMS = 90000, 120
	in(t, "h1 h2 h3", nodes, func(t *testing.T, w *world) {
		if m := w.member("h2"); m.LagMS != 0 || m.LagBytes != 0 {
			t.Errorf("h2 has everything, its lag is %v ms, %d bytes", m.LagMS, m.LagBytes)
		}
		if m := w.member("h3"); m.LagMS != 120 || m.LagBytes != 20 || m.Replay != "0/1E0" {
			t.Errorf("h3: %+v", m)
		}
	})
}

// Whoever follows the primary's log is compared with where that was a probe ago.
func TestFlush(t *testing.T) {
	in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
		want := func(when string, want position.N) {
			t.Helper()
			if got := w.Status().Flush; got != want {
				t.Errorf("%s: %d, want %d", when, got, want)
			}
		}
		want("at first", 500)
		w.set(func(n map[string]*node) { n["h1"].Flush = 600 })
		w.pass(round)
		want("after one probe", 500)
		w.pass(round)
		want("after another", 600)
		w.set(func(n map[string]*node) { n["h2"] = promoted(2, 550, 560) })
		w.pass(round)
		want("of the next timeline", 560)
		w.set(func(n map[string]*node) { n["h2"] = replica(2, 560) })
		w.pass(round)
		want("without a primary", 0)
	})
}

// TestGuess: a replica is asked for more than it was heard to have, unless it was asked
// in vain lately.
func TestGuess(t *testing.T) {
	in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
		s := w.State()
		m := s.Guess()
		if m == nil || m.Host() != "h2" {
			t.Fatalf("guessed %v", m)
		}
		for i, pause := range []time.Duration{5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000} {
			m.Guessed(false)
			w.pass(pause*time.Millisecond - 1)
			if s.Guess() != nil {
				t.Errorf("asked again %v after it was asked in vain %d times", pause*time.Millisecond-1, i+1)
			}
			w.pass(1)
			if s.Guess() == nil {
				t.Errorf("not asked %v ms after it was asked in vain %d times", pause, i+1)
			}
		}
		m.Guessed(true)
		m.Guessed(false)
		w.pass(5 * time.Millisecond)
		if s.Guess() == nil {
			t.Error("not asked, after it was right once")
		}
		m.Suspect()
		if s.Guess() != nil {
			t.Error("one that is silent is asked")
		}
	})
}

// TestSurest: what only one replica has received may be taken back, so others are asked
// as long as they have what is needed.
func TestSurest(t *testing.T) {
	nodes := three()
	nodes["h2"].Receive, nodes["h2"].Replay = 600, 590
	nodes["h3"].Receive, nodes["h3"].Replay = 550, 500
	in(t, "h1 h2 h3", nodes, func(t *testing.T, w *world) {
		w.want("h1", "h2 h3")
		for need, want := range map[position.N]string{0: "h3", 500: "h3", 501: "h2", 590: "h2", 591: ""} {
			got := ""
			if m := w.State().Surest(need, 0); m != nil {
				got = m.Host()
			}
			if got != want {
				t.Errorf("for %d: %q, not %q", need, got, want)
			}
		}
		if m := w.State().Surest(0, w.State().Primary().Report().Timeline+1); m != nil {
			t.Errorf("%s is asked for what lies on a later timeline", m.Host())
		}
		w.State().Surest(0, 0).Suspect()
		if m := w.State().Surest(0, 0); m.Host() != "h2" {
			t.Errorf("%s is asked, which does not answer", m.Host())
		}
		w.pass(round)
	})
}

func TestReplicaByPositionAndLoad(t *testing.T) {
	in(t, "h1 h2 h3", three(), func(t *testing.T, w *world) {
		s := w.State()
		pick := func(need position.N) string {
			if m := s.Replica(need); m != nil {
				return m.Host()
			}
			return ""
		}
		turns := map[string]int{}
		for range 100 {
			turns[pick(0)]++
		}
		if turns["h2"] != 50 || turns["h3"] != 50 {
			t.Errorf("equally loaded: %v", turns)
		}
		if pick(490) != "h2" || pick(501) != "" {
			t.Errorf("need 490: %q, need 501: %q", pick(490), pick(501))
		}
		h2 := s.Replica(490)
		h2.Acquire()
		for range 10 {
			if got := pick(0); got != "h3" {
				t.Errorf("picked %s, which has more to do", got)
			}
		}
		if got := w.member("h2").InFlight; got != 1 {
			t.Errorf("in flight: %d", got)
		}
		h2.Release()
		s.Replica(490).Learn(505)
		if pick(505) != "h2" {
			t.Error("what was learnt is not known")
		}
		if n := testing.AllocsPerRun(100, func() { s.Replica(490); s.Primary() }); n > 0 {
			t.Errorf("a choice costs %v allocations", n)
		}
	})
}
