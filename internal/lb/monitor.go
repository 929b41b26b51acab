package lb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const tickEvery = 25 * time.Millisecond

// errSilent and errLate end requests that wait for an answer.
var (
	errSilent = errors.New("the upstream has fallen silent")
	errLate   = errors.New("the upstream has not answered in time")
)

// monitor looks at all upstreams again and again until ctx ends.
func (b *Balancer) monitor(ctx context.Context) {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	turned, quantiles := time.Now(), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		list := b.roster.Load().all
		for _, m := range b.stillBusy() {
			b.listen(m, list, now)
		}
		for _, m := range list {
			m.limit.Tick(now)
			m.patienceNow.Store(int64(m.limit.Patience(patienceQuick)))
			b.listen(m, list, now)
			b.outlier(m, list, now)
		}
		if now.Sub(turned) >= histogramPeriod {
			turned = now
			for _, m := range list {
				m.rate.Store(uint64(float64(m.times.periods[m.times.now.Load()].n.Load()) / histogramPeriod.Seconds()))
				m.times.turn()
				m.health.turn()
				m.closeIdle(now.Add(-idleAfter))
			}
		}
		if now.Sub(quantiles) >= 10*tickEvery {
			quantiles = now
			b.learnHedge(list)
		}
		b.rebuild(now)
		for range b.roster.Load().places() {
			b.queue.Wake() // a limit may have grown
		}
	}
}

// listen notices silence: an answer is due, and not a byte comes. Whoever is silent is
// asked, and if that is not answered either, while others answer, it is frozen: the
// kernel still accepts connections for it. Requests that wait there are ended, to be sent
// elsewhere if that is harmless.
func (b *Balancer) listen(m *member, list []*member, now time.Time) {
	silence := b.cfg.Health.Silence
	oldest := m.waitingSince(now, b.cfg.Limits.AnswerTimeout)
	if oldest.IsZero() || silence <= 0 {
		return
	}
	// A page that takes its time is given more of it than it took last.
	silence = max(silence, min(2*time.Duration(m.probed.Load()), b.cfg.Health.ProbeTimeout))
	heard := time.Unix(0, m.lastWord.Load())
	if now.Sub(oldest) < silence || now.Sub(heard) < silence {
		return
	}
	ctx := b.running.Load()
	s, _, _ := m.state()
	if ctx == nil || !m.removed.Load() && s != stateUp || m.health.asking.Swap(true) {
		return
	}
	m.health.suspect.Store(true)
	others := b.witnesses(m, list, now.Add(-silence))
	b.tasks.Go(func() {
		defer m.health.asking.Store(false)
		v := b.probe(*ctx, m, max(silence, 100*time.Millisecond))
		m.health.suspect.Store(false)
		now := time.Now()
		if v.spoke || (*ctx).Err() != nil {
			m.spoke(now)
			return
		}
		if m.lastWord.Load() > heard.UnixNano() {
			return // it has said something else meanwhile
		}
		if m.removed.Load() {
			m.abortAll(errSilent)
			return
		}
		reason := fmt.Sprintf("silent for %s", now.Sub(heard).Round(time.Millisecond))
		if heard.Unix() <= 0 {
			reason = "silent"
		}
		if others() && b.mayEject(m) && m.eject(reason, now) {
			b.tell(m)
			b.rebuild(now)
			m.abortAll(errSilent)
		}
	})
}

// witnesses are the others of the list: the function that is returned tells whether one
// of them has said anything since a time. If none has so far, which is so where little is
// asked, they are asked.
func (b *Balancer) witnesses(m *member, list []*member, since time.Time) (spoke func() bool) {
	spoke = func() bool {
		return slices.ContainsFunc(list, func(o *member) bool { return o != m && o.lastWord.Load() > since.UnixNano() })
	}
	if spoke() {
		return spoke
	}
	for _, o := range list {
		if s, _, _ := o.state(); o != m && s == stateUp {
			b.recheck(o)
		}
	}
	return spoke
}

// stillBusy are the upstreams that are no longer told of, with requests under way.
func (b *Balancer) stillBusy() []*member {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaving = slices.DeleteFunc(b.leaving, func(m *member) bool { return m.inflight.Load()+m.streams.Load() == 0 })
	return slices.Clone(b.leaving)
}

// mayEject tells whether fewer than half are out already.
func (b *Balancer) mayEject(m *member) bool {
	all, out := 0, 0
	for _, o := range b.roster.Load().all {
		if o.upstream().Draining {
			continue
		}
		all++
		if s, _, _ := o.state(); o != m && s == stateEjected {
			out++
		}
	}
	return out+1 <= all/2
}

// outlier ejects an upstream that fails, while others fail less.
func (b *Balancer) outlier(m *member, list []*member, now time.Time) {
	if s, _, _ := m.state(); s != stateUp {
		return
	}
	share, n := m.health.errors()
	strikes := m.health.strikes.Load()
	if strikes < ejectStrikes && (n < ejectSamples || share < ejectShare) {
		return
	}
	sum, others := 0.0, 0
	for _, o := range list {
		if s, _, _ := o.state(); o != m && s == stateUp {
			s, _ := o.health.errors()
			sum += s
			others++
		}
	}
	if others == 0 || share < 2*sum/float64(others) || !b.mayEject(m) {
		return
	}
	reason := fmt.Sprintf("%.0f%% of its last %d answers were failures", 100*share, n)
	if strikes >= ejectStrikes {
		reason = fmt.Sprintf("%d requests in a row without an answer", strikes)
	}
	if m.eject(reason, now) {
		m.health.forget()
		b.tell(m)
	}
}

// waitingSince is since when an answer is due and nothing has come; zero if none is.
// Requests that wait too long are ended.
func (m *member) waitingSince(now time.Time, longest time.Duration) (oldest time.Time) {
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	for c := range m.pool.active {
		asked := c.asked.Load()
		if asked <= 0 {
			continue
		}
		at := time.Unix(0, asked)
		if longest > 0 && now.Sub(at) > longest {
			c.abort(errLate)
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	if m.removed.Load() {
		return oldest // its last streams may go on for as long as they like
	}
	heard := m.lastWord.Load()
	for _, due := range []int64{m.owed.Load(), m.probing.Load()} {
		if at := time.Unix(0, due); due > heard && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest
}

// abortAll ends all that is under way at an upstream that says nothing any more: what
// waits for an answer, what is half answered, and streams, whose clients come back.
func (m *member) abortAll(cause error) {
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	for c := range m.pool.active {
		c.abort(cause)
	}
}

// abortBegun ends the answers and streams that have begun.
func (m *member) abortBegun(cause error) {
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	for c := range m.pool.active {
		if c.asked.Load() == answered {
			c.abort(cause)
		}
	}
}

// follow keeps the list of upstreams as the source tells it.
func (b *Balancer) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := b.cfg.Source.Follow(ctx, func(list []Upstream) { b.set(ctx, list) })
		if ctx.Err() != nil {
			return
		}
		b.log.Warn("the list of upstreams is not followed any more; the last one holds", "error", err)
		t := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			t.Stop()
		case <-t.C:
		}
	}
}

// set takes over a list: what is known of those that stay is kept.
func (b *Balancer) set(ctx context.Context, list []Upstream) {
	now := time.Now()
	b.mu.Lock()
	known := map[string]*member{}
	for _, m := range b.members {
		known[m.upstream().id()] = m
	}
	var next []*member
	for _, u := range list {
		m := known[u.id()]
		delete(known, u.id())
		if m == nil {
			m = newMember(b, u, now)
			watching, cancel := context.WithCancel(ctx)
			m.cancel = cancel
			b.tasks.Go(func() { b.watchMember(watching, m) })
			b.log.Info("upstream added", "upstream", u.name(), "address", u.Address)
		} else {
			if u.Load > 0 {
				m.load.set(u.Load, now)
			}
			m.told.Store(&u)
		}
		next = append(next, m)
	}
	for _, m := range known {
		m.removed.Store(true)
		b.leaving = append(b.leaving, m)
	}
	b.members = next
	b.mu.Unlock()
	for _, m := range known {
		b.log.Info("upstream removed", "upstream", m.name())
		m.cancel()
		m.closePool() // requests under way are finished
	}
	b.rebuild(now)
	b.listed.Do(func() { close(b.list) })
}
