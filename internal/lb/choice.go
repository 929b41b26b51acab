package lb

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pandobase/pando/internal/overload"
)

// roster is the upstreams at one moment, by whether they get requests. It is made anew
// and never changed.
type roster struct {
	all    []*member
	usable []candidate
	spare  []*member // unready, ejected, draining, not asked yet: if there is nothing better
	last   []*member // cannot be reached: if there is nothing at all
	// typical is the usual latency, for those of which none is known, in seconds.
	typical float64
}

type candidate struct {
	m *member
	// share is how much of what it is offered it takes: less than 1 while it ramps up.
	share float64
}

// places is how many requests more the upstreams would take.
func (r *roster) places() (n int64) {
	for _, c := range r.usable {
		n += max(c.m.limit.Limit()-c.m.limit.Waiting(), 0)
	}
	return min(n, overload.MaxQueued)
}

// rebuild publishes the roster. Ejections, and suspicions, are heeded for half of the
// upstreams at most, the oldest first: if most seem to fail, the fault is likely
// elsewhere, and the rest could not bear it.
func (b *Balancer) rebuild(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &roster{all: b.members}
	var out []*member
	var latencies []float64
	draining := 0
	for _, m := range b.members {
		s, _, _ := m.state()
		switch {
		case m.upstream().Draining:
			draining++
			r.spare = append(r.spare, m)
		case s == stateDown:
			r.last = append(r.last, m)
		case s == stateUnready || s == stateNew:
			r.spare = append(r.spare, m)
		case s == stateEjected || m.health.suspect.Load():
			out = append(out, m)
		default:
			r.usable = append(r.usable, candidate{m, m.ramp(now)})
		}
		if mean, ok := m.latency.known(); ok {
			latencies = append(latencies, mean)
		}
	}
	slices.SortFunc(out, func(a, b *member) int {
		_, _, since := a.state()
		_, _, other := b.state()
		return since.Compare(other)
	})
	for i, m := range out {
		if i < (len(b.members)-draining)/2 {
			r.spare = append(r.spare, m)
		} else {
			r.usable = append(r.usable, candidate{m, 1})
		}
	}
	most := 0.0
	for _, c := range r.usable {
		most = max(most, c.share)
	}
	for i := range r.usable {
		r.usable[i].share /= most // when all are new, none has to wait for another
	}
	r.typical = 0.001
	if len(latencies) > 0 {
		slices.Sort(latencies)
		r.typical = latencies[(len(latencies)-1)/2]
	}
	b.roster.Store(r)
}

// spares tells whether there are better ones than m, so that nothing new is sent to it.
func (b *Balancer) spares(m *member) bool {
	r := b.roster.Load()
	return len(r.usable) > 0 && !slices.ContainsFunc(r.usable, func(c candidate) bool { return c.m == m })
}

// pick chooses an upstream that has not been tried and takes a place there. full means
// that there are some, but none has a place.
func (b *Balancer) pick(tried []*member, c class, now time.Time) (m *member, full bool) {
	r := b.roster.Load()
	if m, full = b.among(r, tried, c, now); m != nil || full {
		return m, full
	}
	for _, list := range [][]*member{r.spare, r.last} {
		if len(list) == 0 {
			continue
		}
		at := rand.IntN(len(list))
		for i := range list {
			m := list[(at+i)%len(list)]
			if slices.Contains(tried, m) {
				continue
			}
			if c == always {
				m.limit.Force()
			} else if !m.limit.Acquire() {
				full = true
				continue
			}
			return m, false
		}
	}
	return nil, full
}

// among chooses among those that are well.
func (b *Balancer) among(r *roster, tried []*member, c class, now time.Time) (m *member, full bool) {
	n := len(r.usable)
	if n == 0 {
		return nil, false
	}
	first := b.sample(r, tried, nil)
	if first == nil {
		return nil, false // all have been tried
	}
	if b.cfg.Policy == LeastLoaded && n > 1 {
		if second := b.sample(r, tried, first); second != nil && second.score(now, r.typical) < first.score(now, r.typical) {
			first = second
		}
	}
	if c == always {
		first.limit.Force()
		return first, false
	}
	if first.limit.Acquire() {
		return first, false
	}
	// It is full: any that is not.
	at := rand.IntN(n)
	for i := range n {
		if m := r.usable[(at+i)%n].m; m != first && m.limit.Free() && !slices.Contains(tried, m) && m.limit.Acquire() {
			return m, false
		}
	}
	return nil, true
}

// sample draws one, but for those tried and for not; whoever ramps up is drawn more
// seldom.
func (b *Balancer) sample(r *roster, tried []*member, not *member) *member {
	n := len(r.usable)
	turn := func() int { return rand.IntN(n) }
	if b.cfg.Policy == RoundRobin {
		turn = func() int { return int(b.turn.Add(1) % uint64(n)) }
	}
	ok := func(m *member) bool { return m != not && !slices.Contains(tried, m) }
	for range 4 * n {
		c := r.usable[turn()]
		if ok(c.m) && (c.share >= 1 || rand.Float64() < c.share) {
			return c.m
		}
	}
	for _, c := range r.usable {
		if ok(c.m) {
			return c.m
		}
	}
	return nil
}
