package topology_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pandobase/pando/internal/topology"
)

func three() map[string]*node {
	return map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500), "h3": replica(1, 480)}
}

func TestRolesInAnyOrder(t *testing.T) {
	for _, order := range []string{"h1 h2 h3", "h3 h1 h2", "h2 h3 h1", "h3 h2 h1", "h3 h2 h1 h3 h1"} {
		in(t, order, three(), func(t *testing.T, w *world) {
			w.want("h1", "h2 h3")
			if got := w.State().Timeline(); got != 1 {
				t.Errorf("timeline %d, want 1", got)
			}
		})
	}
}

// Nobody is the primary before everybody had the time to say otherwise.
func TestStaleClaimAtStart(t *testing.T) {
	nodes := map[string]*node{"old": primary(1, 900), "new": promoted(2, 400, 410)}
	nodes["new"].slow = 150 * time.Millisecond
	in(t, "old new", nodes, func(t *testing.T, w *world) {
		w.want("", "")
		w.pass(150 * time.Millisecond)
		w.want("new", "")
		w.wantTold("primary is new (timeline 2)",
			"old is not used: it was the primary of timeline 1, and others are on 2: it must not be written to")
	})
}

func TestFrozenHostAtStart(t *testing.T) {
	nodes := three()
	nodes["h2"].frozen = true
	in(t, "h2 h1 h3", nodes, func(t *testing.T, w *world) {
		began := time.Now()
		if err := w.WaitFirst(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("the first judgement took %v", took)
		}
		w.want("h1", "h3")
	})
}

func TestPromotion(t *testing.T) {
	in(t, "h1 h2 h3", three(), func(t *testing.T, w *world) {
		was := w.State().Primary()
		replica2 := w.State().Replicas()[0]
		w.told()
		w.set(func(n map[string]*node) { n["h1"].err = errors.New("connection refused") })
		w.pass(round)
		w.want("", "h2 h3")
		w.set(func(n map[string]*node) { n["h2"] = promoted(2, 490, 510) })
		w.pass(round)
		w.want("h2", "h3") // h3 is behind the fork
		if !over(was.Gone()) || !over(replica2.Gone()) || !over(was.Alarm()) {
			t.Error("connections of the old timeline are still good")
		}
		if limit, ok := w.State().Replicas()[0].Limit(); !ok || limit != 490 {
			t.Errorf("the limit of h3 is %d, %v; want 490", limit, ok)
		}
		w.wantTold("the primary h1 cannot be reached: connection refused",
			"primary is now h2 (timeline 2), was h1 (timeline 1)",
			"h1 is not used: it was the primary of timeline 1, and others are on 2: it must not be written to",
			"h3 is a replica (still on timeline 1)")

		// The old one comes back before anybody has told it.
		w.set(func(n map[string]*node) { n["h1"].err = nil; n["h1"].Flush = 600 })
		w.pass(2 * time.Second)
		w.want("h2", "h3")

		// And follows.
		w.set(func(n map[string]*node) { n["h1"] = replica(2, 520); n["h3"] = replica(2, 510) })
		w.pass(round)
		w.want("h2", "h1 h3")
		w.wantTold("h1 answers again", "h1 is a replica (timeline 2)", "h3 is a replica (timeline 2)")
	})
}

// A promotion is noticed within an interval, also on a host that did not answer.
func TestPromotionIsNoticed(t *testing.T) {
	for _, before := range []time.Duration{0, 13 * time.Millisecond, 99 * time.Millisecond} {
		in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
			w.pass(time.Second + before)
			w.set(func(n map[string]*node) { n["h1"].frozen, n["h2"].frozen = true, true })
			w.pass(3 * time.Second)
			w.want("", "")
			began := time.Now()
			w.set(func(n map[string]*node) { n["h2"] = promoted(2, 500, 500) })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			m, err := w.WaitPrimary(ctx)
			if err != nil || m.Host() != "h2" {
				t.Fatalf("%v, %v after %v", m, err, time.Since(began))
			}
			if took := time.Since(began); took > 300*time.Millisecond {
				t.Errorf("noticed after %v", took)
			}
		})
	}
}

func TestConflict(t *testing.T) {
	in(t, "h1 h2 h3", three(), func(t *testing.T, w *world) {
		was := w.State().Primary()
		w.told()
		w.set(func(n map[string]*node) { n["h2"] = primary(1, 505) })
		w.pass(round)
		w.want("", "h3")
		if !over(was.Gone()) {
			t.Error("writes under way may still go on")
		}
		w.wantTold("h1 and h2 all say that they are the primary of timeline 1: nothing is written until only one does (or is one server listed twice?)")
		if p := w.Status().Problem; !strings.Contains(p, "h1 and h2") {
			t.Errorf("problem: %q", p)
		}
		// One that falls silent has not given in.
		w.set(func(n map[string]*node) { n["h1"].frozen = true })
		w.pass(time.Second)
		w.want("", "h3")
		w.set(func(n map[string]*node) { n["h1"].frozen = false; n["h2"] = replica(1, 505) })
		w.pass(310 * time.Millisecond)
		w.want("h1", "h2 h3")
		if m := w.State().Primary(); m == nil || over(m.Gone()) {
			t.Error("the new life is over")
		}
	})
}

func TestThawedPrimary(t *testing.T) {
	in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
		old := w.State().Primary()
		w.set(func(n map[string]*node) { n["h1"].frozen = true })
		w.pass(300 * time.Millisecond)
		w.want("", "h2")
		if !old.Silent() || !over(old.Alarm()) || over(old.Gone()) {
			t.Error("a frozen primary is silent, and not gone")
		}
		if w.State().LastPrimary() != old {
			t.Error("nobody has taken its place")
		}
		w.set(func(n map[string]*node) { n["h2"] = promoted(2, 500, 501) })
		w.pass(round)
		w.want("h2", "")
		if !over(old.Gone()) {
			t.Error("the old primary's connections are still good")
		}
		w.set(func(n map[string]*node) { n["h1"].frozen = false; n["h1"].Flush = 700 })
		w.pass(2 * time.Second)
		w.want("h2", "")
		if m := w.member("h1"); m.Role != "refused" || !strings.Contains(m.Why, "was the primary of timeline 1") {
			t.Errorf("%+v", m)
		}
	})
}

// A host that freezes is noticed within 300 ms, whenever it freezes, and does not
// make others wait.
func TestFrozenHost(t *testing.T) {
	for _, moment := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond, 99 * time.Millisecond} {
		in(t, "h1 h2 h3", three(), func(t *testing.T, w *world) {
			w.pass(moment)
			h2 := w.State().Replicas()[0]
			alarm := h2.Alarm()
			began := time.Now()
			w.set(func(n map[string]*node) { n["h2"].frozen = true })
			<-alarm
			if took := time.Since(began); took > 300*time.Millisecond {
				t.Errorf("noticed after %v", took)
			}
			w.want("h1", "h3")
			w.set(func(n map[string]*node) { n["h3"].Replay = 499 })
			w.pass(round)
			if m := w.State().Replica(499); m == nil || m.Host() != "h3" {
				t.Errorf("h3 was not heard meanwhile: %v", m)
			}
			w.set(func(n map[string]*node) { n["h2"].frozen = false })
			w.pass(310 * time.Millisecond)
			w.want("h1", "h2 h3")
			if over(h2.Alarm()) || over(h2.Gone()) {
				t.Error("it is the same life, and answers again")
			}
		})
	}
}

// A host that answers late stays in use: what it may take grows with what it takes, and
// shrinks again. Only the first late answer costs something.
func TestSlowHost(t *testing.T) {
	in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
		slow := func(d time.Duration) { w.set(func(n map[string]*node) { n["h1"].slow = d }) }
		m := w.State().Primary()
		silent := 0
		watch := func(d time.Duration) int {
			silent = 0
			for range d / (10 * time.Millisecond) {
				w.pass(10 * time.Millisecond)
				if m.Silent() {
					silent++
				}
			}
			return silent * 10
		}
		for _, d := range []time.Duration{40 * time.Millisecond, 150 * time.Millisecond, 500 * time.Millisecond} {
			slow(d)
			if ms := watch(3 * time.Second); ms > 0 {
				t.Errorf("it answers within %v, and was silent for %d ms", d, ms)
			}
		}
		slow(0)
		watch(10 * time.Second)
		slow(500 * time.Millisecond) // from one moment to the next
		if ms := watch(3 * time.Second); ms == 0 || ms > 1000 {
			t.Errorf("it was silent for %d ms", ms)
		}
		slow(0)
		watch(10 * time.Second)
		began := time.Now()
		alarm := m.Alarm()
		w.set(func(n map[string]*node) { n["h1"].frozen = true })
		<-alarm
		if took := time.Since(began); took > 300*time.Millisecond {
			t.Errorf("that it froze was noticed after %v", took)
		}
		w.want("", "h2")
	})
}

func TestOtherSystem(t *testing.T) {
	nodes := three()
	nodes["x"] = primary(9, 9000)
	nodes["x"].System = 1
	in(t, "x h1 h2 h3", nodes, func(t *testing.T, w *world) {
		w.want("h1", "h2 h3")
		if m := w.member("x"); m.Role != "refused" ||
			m.Why != "it belongs to another database system (1, not 7300000000000000001): check the address" {
			t.Errorf("%+v", m)
		}
		if got := w.State().Timeline(); got != 1 {
			t.Errorf("timeline %d is that of another system", got)
		}
	})
}

// Without the history of the timeline nobody knows where the last one was left.
// A replica that has heard of a new timeline before its primary was found waits
// for it: what was lost can be told only then.
func TestNoPrimary(t *testing.T) {
	in(t, "h1 h2 h3", three(), func(t *testing.T, w *world) {
		w.told()
		w.set(func(n map[string]*node) { n["h1"].err = errors.New("connection refused") })
		w.pass(round)
		w.want("", "h2 h3") // reads go on
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if m, err := w.WaitPrimary(ctx); m != nil || err == nil || err.Error() != "the primary h1 cannot be reached: connection refused" {
			t.Errorf("%v, %v", m, err)
		}
		// It is started again as a replica of nobody.
		w.set(func(n map[string]*node) { n["h1"] = replica(1, 500) })
		w.pass(round)
		w.want("", "h1 h2 h3")
		w.wantTold("the primary h1 cannot be reached: connection refused",
			"no primary: h1 is a replica; h2 is a replica; h3 is a replica",
			"h1 answers again", "h1 is a replica (timeline 1)")
		w.set(func(n map[string]*node) { n["h1"] = primary(1, 500) })
		w.pass(round)
		w.want("h1", "h2 h3")
		w.wantTold("primary is h1 again (timeline 1)")
	})
}

func TestSetHosts(t *testing.T) {
	in(t, "h1 h2", three(), func(t *testing.T, w *world) {
		w.want("h1", "h2")
		w.told()
		h1, h2 := w.State().Primary(), w.State().Replicas()[0]
		w.SetHosts([]string{"h3", "h1"})
		w.pass(round)
		w.want("h1", "h3")
		if !over(h2.Gone()) || over(h1.Gone()) || w.State().Primary() != h1 {
			t.Error("h2 should be gone, and h1 be as before")
		}
		w.wantTold("h2 is not watched any more", "h3 is watched too from now on", "h3 is a replica (timeline 1)")
		w.SetHosts([]string{"h3"})
		w.pass(round)
		w.want("", "h3")
		w.SetHosts(nil)
		w.pass(round)
		w.want("", "")
		if p := w.Status().Problem; p != "no primary: there are no hosts" {
			t.Errorf("problem: %q", p)
		}
	})
}

// A host that comes and goes is used whenever it is there, and told of now and then.
func TestFlapping(t *testing.T) {
	in(t, "h1 h2", map[string]*node{"h1": primary(1, 500), "h2": replica(1, 500)}, func(t *testing.T, w *world) {
		w.told()
		for range 50 {
			w.set(func(n map[string]*node) { n["h2"].err = errors.New("refused") })
			w.pass(round)
			w.want("h1", "")
			w.set(func(n map[string]*node) { n["h2"].err = nil })
			w.pass(round)
			w.want("h1", "h2")
		}
		w.pass(2 * time.Second)
		told := w.told()
		if len(told) > 12 || told[len(told)-1] != "h2 answers again" {
			t.Errorf("told %d times in 11 seconds: %q", len(told), told)
		}
	})
}

func TestClose(t *testing.T) {
	in(t, "h1 h2", three(), func(t *testing.T, w *world) {
		w.set(func(n map[string]*node) { n["h2"].frozen = true })
		w.pass(50 * time.Millisecond)
		h1 := w.State().Primary()
		w.Close()
		w.Close()
		if !over(h1.Gone()) || w.State().Primary() != nil {
			t.Error("members outlive the watcher")
		}
		if _, err := w.WaitPrimary(t.Context()); err == nil {
			t.Error("a primary after the end")
		}
		w.SetHosts([]string{"h1"})
		h1.Suspect()
	})
}

// The hosts are reachable but none of them lets us in: known at once.
func TestWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := topology.New(topology.Config{Hosts: []string{"h1", "h2"}, Probe: func(context.Context, string) (topology.Report, error) {
			return topology.Report{}, errors.New("password authentication failed")
		}})
		defer w.Close()
		if err := w.WaitFirst(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := "no primary: h1 cannot be reached: password authentication failed; h2 cannot be reached: password authentication failed"
		if got := w.Status().Problem; got != want {
			t.Errorf("problem: %q", got)
		}
	})
}
