package lb

import (
	"fmt"
	"testing"
	"time"
)

// fleet is a balancer that does not run, with upstreams that are up.
func fleet(t *testing.T, policy Policy, n int) (*Balancer, []*member) {
	t.Helper()
	cfg := Config{Policy: policy}
	for i := range n {
		cfg.Upstreams = append(cfg.Upstreams, Upstream{Address: fmt.Sprintf("10.0.0.%d:80", i)})
	}
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, u := range cfg.Upstreams {
		m := newMember(b, u, now)
		m.health.state = stateUp
		b.members = append(b.members, m)
	}
	b.rebuild(now)
	return b, b.members
}

// share draws n times and tells how often each was chosen. hold is called with each
// choice, and says when it ends.
func share(t *testing.T, b *Balancer, n int, each func(m *member)) map[*member]float64 {
	t.Helper()
	out := map[*member]float64{}
	now := time.Now()
	for range n {
		m, full := b.pick(nil, normal, now)
		if m == nil || full {
			t.Fatalf("no choice, full %v", full)
		}
		out[m] += 1 / float64(n)
		m.limit.release()
		if each != nil {
			each(m)
		}
	}
	return out
}

func TestEqualShares(t *testing.T) {
	for _, policy := range []Policy{LeastLoaded, RoundRobin} {
		b, members := fleet(t, policy, 3)
		got := share(t, b, 30_000, nil)
		for _, m := range members {
			if got[m] < 0.30 || got[m] > 0.36 {
				t.Errorf("%s: %s gets %.3f", policy, m.name(), got[m])
			}
		}
	}
}

// TestLoadDecides: whoever has more in flight, is slower or says that it is busy gets
// less; of two it is never chosen while the other is idle.
func TestLoadDecides(t *testing.T) {
	now := time.Now()
	for name, burden := range map[string]func(m *member){
		"in flight": func(m *member) { m.inflight.Store(3) },
		"slow": func(m *member) {
			for range 10 {
				m.latency.add(100*time.Millisecond, now)
			}
		},
		"reported": func(m *member) { m.load.set(0.9, now) },
	} {
		b, members := fleet(t, LeastLoaded, 3)
		for _, m := range members {
			for range 10 {
				m.latency.add(10*time.Millisecond, now)
			}
		}
		burden(members[0])
		b.rebuild(now)
		if got := share(t, b, 3000, nil)[members[0]]; got != 0 {
			t.Errorf("%s: it still gets %.3f", name, got)
		}
	}
}

// TestSlowIsForgiven: what was slow once is asked again after a while.
func TestSlowIsForgiven(t *testing.T) {
	var e ewma
	now := time.Now()
	for range 10 {
		e.add(time.Second, now)
	}
	if v := e.value(now, 0.01); v < 0.9 {
		t.Errorf("%v at once", v)
	}
	if v := e.value(now.Add(time.Minute), 0.01); v > 0.02 {
		t.Errorf("%v after a minute without measurements", v)
	}
}

// TestRampShare: a new upstream gets little at first, and all are equal when all are new.
func TestRampShare(t *testing.T) {
	for _, policy := range []Policy{LeastLoaded, RoundRobin} {
		b, members := fleet(t, policy, 4)
		now := time.Now()
		members[0].health.rampFrom = now.Add(-b.cfg.Health.Ramp / 10)
		b.rebuild(now)
		if got := share(t, b, 20_000, nil)[members[0]]; got < 0.015 || got > 0.06 {
			t.Errorf("%s: after a tenth of the ramp it gets %.3f", policy, got)
		}
		for _, m := range members {
			m.health.rampFrom = now
		}
		b.rebuild(now)
		if got := share(t, b, 20_000, nil)[members[0]]; got < 0.22 || got > 0.28 {
			t.Errorf("%s: of four new ones one gets %.3f", policy, got)
		}
	}
}

// TestHalfAtMost: ejections are heeded for half of the upstreams.
func TestHalfAtMost(t *testing.T) {
	for n, out := range map[int]int{1: 0, 2: 1, 3: 1, 4: 2, 5: 2} {
		b, members := fleet(t, LeastLoaded, n)
		now := time.Now()
		for _, m := range members {
			if b.mayEject(m) {
				m.eject("test", now)
			}
			b.rebuild(now)
		}
		if got := n - len(b.roster.Load().usable); got != out {
			t.Errorf("of %d, %d are out, want %d", n, got, out)
		}
		for _, m := range members {
			m.health.state = stateEjected // whatever was allowed
		}
		b.rebuild(now)
		if got := n - len(b.roster.Load().usable); got != n/2 {
			t.Errorf("of %d ejected ones, %d get nothing, want %d", n, got, n/2)
		}
	}
}

// TestFallback: what is not well is asked if there is nothing better, in this order.
func TestFallback(t *testing.T) {
	b, members := fleet(t, LeastLoaded, 3)
	now := time.Now()
	members[0].health.state = stateDown
	members[1].health.state = stateUnready
	b.rebuild(now)
	want := []*member{members[2], members[1], members[0], nil}
	var tried []*member
	for i, w := range want {
		m, _ := b.pick(tried, normal, now)
		if m != w {
			t.Fatalf("choice %d is wrong", i+1)
		}
		tried = append(tried, m)
	}
}

// TestFull: a full upstream is passed over, and what must be answered is answered.
func TestFull(t *testing.T) {
	b, members := fleet(t, LeastLoaded, 2)
	now := time.Now()
	members[0].limit.waiting.Store(members[0].limit.limit.Load())
	for range 50 {
		if m, full := b.pick(nil, normal, now); m != members[1] || full {
			t.Fatal("the full one was chosen")
		}
	}
	members[1].limit.waiting.Store(members[1].limit.limit.Load())
	if m, full := b.pick(nil, normal, now); m != nil || !full {
		t.Error("one was chosen although all are full")
	}
	if m, _ := b.pick(nil, always, now); m == nil {
		t.Error("health is not answered when all are full")
	}
}

func TestRotation(t *testing.T) {
	b, members := fleet(t, RoundRobin, 3)
	var order []*member
	share(t, b, 9, func(m *member) { order = append(order, m) })
	for i := 3; i < 9; i++ {
		if order[i] != order[i-3] {
			t.Fatalf("choice %d breaks the turn", i+1)
		}
	}
	_ = members
}

func TestHistogram(t *testing.T) {
	var h histogram
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	h.turn() // both periods count
	by, n := merged(&h)
	for q, want := range map[float64]float64{0.5: 0.5, 0.99: 0.99, 1: 1} {
		if got := quantile(&by, n, q).Seconds(); got < want || got > want*1.14 {
			t.Errorf("quantile %v is %v, want %v and an eighth at most", q, got, want)
		}
	}
	h.turn()
	if _, n := merged(&h); n != 0 {
		t.Errorf("%d after two periods", n)
	}
	for d := time.Duration(0); d < time.Hour; d = d*9/8 + time.Microsecond {
		if b := boundOf(bucketOf(d)); b <= d-time.Microsecond || float64(b) > float64(d)*1.15+float64(10*time.Microsecond) {
			t.Fatalf("%s falls below %s", d, b)
		}
	}
}
