package lb

import (
	"fmt"
	"math/rand/v2"
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
		m.limit.Release()
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
				m.latency.add(100*time.Millisecond, now, 0.01)
			}
		},
		"reported": func(m *member) { m.load.set(0.9, now) },
	} {
		b, members := fleet(t, LeastLoaded, 3)
		for _, m := range members {
			for range 10 {
				m.latency.add(10*time.Millisecond, now, 0.01)
			}
		}
		burden(members[0])
		b.rebuild(now)
		if got := share(t, b, 3000, nil)[members[0]]; got != 0 {
			t.Errorf("%s: it still gets %.3f", name, got)
		}
	}
}

// simulate lets clients ask one request after the other for so long, in a time of its
// own, and tells the share of each upstream in every second. took is how long an
// upstream needs for a request that begins at t, given how many it had in the second
// before.
func simulate(t *testing.T, n, clients int, length time.Duration, took func(i int, at time.Duration, rate int) time.Duration) (shares [][]float64) {
	t.Helper()
	b, members := fleet(t, LeastLoaded, n)
	index := map[*member]int{}
	for i, m := range members {
		index[m] = i
	}
	type event struct {
		at, begun time.Duration
		m         *member
	}
	start := time.Now()
	var events []event
	for i := range clients {
		events = append(events, event{at: time.Duration(i) * 10 * time.Microsecond})
	}
	seconds := int(length / time.Second)
	counts := make([][]int, seconds+1)
	for i := range counts {
		counts[i] = make([]int, n)
	}
	var tick time.Duration
	for {
		first := 0
		for i := range events {
			if events[i].at < events[first].at {
				first = i
			}
		}
		e := &events[first]
		if e.at >= length {
			break
		}
		now := start.Add(e.at)
		for tick <= e.at {
			b.rebuild(start.Add(tick))
			tick += tickEvery
		}
		if e.m != nil {
			e.m.inflight.Add(-1)
			e.m.latency.add(e.at-e.begun, now, b.roster.Load().typical)
		}
		m, _ := b.pick(nil, normal, now)
		m.limit.Release()
		m.inflight.Add(1)
		second := int(e.at / time.Second)
		i := index[m]
		rate := counts[second][i]
		if second > 0 {
			rate = max(rate, counts[second-1][i])
		}
		counts[second][i]++
		e.m, e.begun = m, e.at
		e.at += max(took(i, e.at, rate), time.Microsecond)
	}
	for _, c := range counts[:seconds] {
		sum := 0
		for _, k := range c {
			sum += k
		}
		row := make([]float64, n)
		for i, k := range c {
			row[i] = float64(k) / float64(sum)
		}
		shares = append(shares, row)
	}
	return shares
}

// jitter is an exponential time, as services have them.
func jitter(mean time.Duration) time.Duration {
	return time.Duration(rand.ExpFloat64() * float64(mean))
}

// TestSharesSettle: equal upstreams get equal shares, whatever has been before and
// however much their answers vary; and being asked seldom, and so having a cold cache, is
// no reason to be asked more seldom still.
func TestSharesSettle(t *testing.T) {
	for name, c := range map[string]struct {
		clients int
		from    int // seconds that do not count
		to      int // so many that chance makes no share of a third another one
		took    func(i int, at time.Duration, rate int) time.Duration
	}{
		"jitter, quick, few":  {4, 1, 10, func(int, time.Duration, int) time.Duration { return jitter(time.Millisecond) }},
		"jitter, quick, many": {64, 1, 10, func(int, time.Duration, int) time.Duration { return jitter(2 * time.Millisecond) }},
		"jitter, slow, few":   {6, 1, 120, func(int, time.Duration, int) time.Duration { return jitter(20 * time.Millisecond) }},
		"jitter, slow, many":  {64, 1, 30, func(int, time.Duration, int) time.Duration { return jitter(50 * time.Millisecond) }},
		"slow for the first second": {8, 3, 10, func(i int, at time.Duration, _ int) time.Duration {
			if i == 2 && at < time.Second {
				return jitter(100 * time.Millisecond)
			}
			return jitter(time.Millisecond)
		}},
		"very slow for the first second": {8, 4, 60, func(i int, at time.Duration, _ int) time.Duration {
			if i == 2 && at < time.Second {
				return 500 * time.Millisecond
			}
			return jitter(10 * time.Millisecond)
		}},
		"cold while it is asked seldom": {6, 3, 20, func(i int, at time.Duration, rate int) time.Duration {
			if rate < 100 || i == 2 && at < time.Second {
				return jitter(5 * time.Millisecond)
			}
			return jitter(500 * time.Microsecond)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			shares := simulate(t, 3, c.clients, time.Duration(c.to)*time.Second, c.took)
			for i := range 3 {
				sum := 0.0
				for _, row := range shares[c.from:] {
					sum += row[i]
				}
				if mean := sum / float64(len(shares)-c.from); mean < 0.30 || mean > 0.37 {
					t.Errorf("upstream %d gets %.3f; by second %.2f", i, mean, shares)
					return
				}
			}
		})
	}
}

// TestSlowStaysRare: one that is five times slower gets less than a hundredth.
func TestSlowStaysRare(t *testing.T) {
	shares := simulate(t, 3, 16, 10*time.Second, func(i int, _ time.Duration, _ int) time.Duration {
		if i == 2 {
			return 50 * time.Millisecond
		}
		return 10 * time.Millisecond
	})
	sum := 0.0
	for _, row := range shares[1:] {
		sum += row[2]
	}
	if mean := sum / float64(len(shares)-1); mean > 0.01 {
		t.Errorf("it gets %.4f", mean)
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

// TestOutlier: who fails more than the others is ejected, and not who only says that it
// has more to do than it can.
func TestOutlier(t *testing.T) {
	for _, c := range []struct {
		status int
		later  bool
		others int // what they answer
		out    bool
	}{
		{500, false, 200, true}, {502, false, 200, true}, {503, false, 200, true}, {504, false, 200, true}, {500, true, 200, true},
		{503, true, 200, false}, {404, false, 200, false}, {429, true, 200, false}, {500, false, 500, false},
	} {
		b, members := fleet(t, LeastLoaded, 3)
		now := time.Now()
		for range ejectSamples {
			members[0].answered(c.status, c.later, time.Millisecond, now)
			members[1].answered(c.others, false, time.Millisecond, now)
			members[2].answered(c.others, false, time.Millisecond, now)
		}
		b.outlier(members[0], members, now)
		if got, _, _ := members[0].state(); (got == stateEjected) != c.out {
			t.Errorf("%+v: it is %v", c, got)
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

func fill(m *member) {
	for m.limit.Free() {
		m.limit.Force()
	}
}

// TestFull: a full upstream is passed over, and what must be answered is answered.
func TestFull(t *testing.T) {
	b, members := fleet(t, LeastLoaded, 2)
	now := time.Now()
	fill(members[0])
	for range 50 {
		if m, full := b.pick(nil, normal, now); m != members[1] || full {
			t.Fatal("the full one was chosen")
		}
	}
	fill(members[1])
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
