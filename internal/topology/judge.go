package topology

import (
	"context"
	"slices"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// judgeAll is the one goroutine that judges.
func (w *Watcher) judgeAll() {
	w.mu.Lock()
	w.judge(result{})
	w.mu.Unlock()
	for {
		w.tell()
		select {
		case r := <-w.results:
			w.mu.Lock()
			w.hear(r)
			w.mu.Unlock()
		case hosts := <-w.setHosts:
			w.mu.Lock()
			w.watch(hosts)
			w.judge(result{})
			w.mu.Unlock()
		case <-w.ctx.Done():
			for _, h := range w.hosts {
				h.member.Load().end()
			}
			return
		}
	}
}

// watch begins to watch new hosts, and ends with those that are not among names.
func (w *Watcher) watch(names []string) {
	var hosts []*host
	for _, h := range w.hosts {
		if slices.Contains(names, h.name) {
			hosts = append(hosts, h)
			continue
		}
		h.stop()
		h.member.Load().end()
		if w.primary == h {
			w.primary = nil
		}
	}
	for _, name := range names {
		if slices.ContainsFunc(hosts, func(h *host) bool { return h.name == name }) {
			continue
		}
		h := &host{name: name, poke: make(chan struct{}, 1), since: time.Now()}
		h.member.Store(newMember(h))
		var ctx context.Context
		ctx, h.stop = context.WithCancel(w.ctx)
		w.running.Go(func() { w.watchHost(ctx, h) })
		hosts = append(hosts, h)
	}
	w.hosts = hosts
}

// hear takes the result of a probe in.
func (w *Watcher) hear(r result) {
	h := r.host
	if !slices.Contains(w.hosts, h) {
		return
	}
	if h.contact != r.to {
		h.contact, h.since = r.to, time.Now()
	}
	h.err, h.waited = r.err, r.waited
	m := h.member.Load()
	if r.to != answers {
		m.unanswered.Store(true)
		m.doubt()
		w.judge(result{})
		return
	}
	if !m.lives(r.report) {
		if h == w.primary {
			// Others may have seen more of its log than probes. Only here: the stream can
			// be a moment ahead of the disk, when a segment of the log is left.
			w.flush = max(w.flush, m.Reached())
			if r.timeline == w.timeline {
				w.flush = max(w.flush, r.known)
			}
		}
		m = w.renew(h)
		r.member, r.doubts = m, 0
	}
	if h == w.primary {
		w.earlier = h.report.Flush
	}
	h.known, h.report = true, r.report
	m.hear(r.report)
	w.judge(r)
}

// renew ends the present life of a host.
func (w *Watcher) renew(h *host) *Member {
	h.member.Load().end()
	m := newMember(h)
	h.member.Store(m)
	h.used = false
	return m
}

// judge finds out who is what after something has changed, and publishes it.
// heard is a probe that was answered, if that was it.
func (w *Watcher) judge(heard result) {
	w.first = w.first || !slices.ContainsFunc(w.hosts, func(h *host) bool { return h.contact == unheard })
	if w.first {
		// Not before: until the last host was heard, or was silent, one that has
		// been replaced long ago may be the first to claim that it is the primary.
		w.identify()
		w.choosePrimary()
		w.chooseReplicas()
	}
	// Only now: what has answered may just have lost its place.
	trusted := heard.member != nil && heard.member.trust(heard.doubts)
	w.publish(trusted)
}

// identify settles which database system is watched, once.
func (w *Watcher) identify() {
	if w.system != 0 {
		return
	}
	most := 0
	for _, h := range w.hosts { // of two equally frequent ones, the first in the list
		n := 0
		for _, other := range w.hosts {
			if h.known && other.known && other.report.System == h.report.System {
				n++
			}
		}
		if n > most {
			most, w.system = n, h.report.System
		}
	}
}

// ours tells whether h is known to be of the watched system.
func (w *Watcher) ours(h *host) bool { return h.known && h.report.System == w.system }

// choosePrimary finds who is the primary.
func (w *Watcher) choosePrimary() {
	w.top = w.timeline
	for _, h := range w.hosts {
		if w.ours(h) {
			w.top = max(w.top, h.report.Timeline)
		}
	}
	var claims []*host
	for _, h := range w.hosts {
		// Of two that claim it, one that falls silent has not given in.
		if w.claims(h) && (h.contact == answers || h.contact == silent && slices.Contains(w.conflict, h)) {
			claims = append(claims, h)
		}
	}
	w.conflict = nil
	switch {
	case len(claims) == 1:
		w.primary = claims[0]
	case len(claims) > 1:
		w.primary, w.conflict = nil, claims
	case w.primary != nil && !w.claims(w.primary):
		w.primary = nil
	} // else it is only not heard of at present
	if w.primary != nil {
		r := w.primary.report
		if r.Timeline != w.timeline {
			w.timeline, w.flush, w.earlier = r.Timeline, 0, r.Flush
		}
		w.flush = max(w.flush, r.Flush)
	}
	w.learnHistory()
}

// claims tells whether h said last that it is the primary, and can be.
func (w *Watcher) claims(h *host) bool {
	return w.ours(h) && !h.report.InRecovery && h.report.Timeline == w.top && !w.shorter(h)
}

// shorter tells whether a host has less of a timeline than its primary once had:
// it was restored from a copy, and will use the missing positions again.
func (w *Watcher) shorter(h *host) bool {
	return h.report.Timeline == w.timeline && h.report.Flush < w.flush
}

// learnHistory takes the history of the highest timeline from whoever has it.
func (w *Watcher) learnHistory() {
	if w.history.Timeline == w.top && len(w.history.Forks) > 0 {
		return
	}
	for _, h := range w.hosts {
		if w.ours(h) && h.report.Timeline == w.top && h.report.History.Timeline == w.top {
			w.history = h.report.History
			return
		}
	}
	if w.timeline == w.top {
		w.history = position.History{Timeline: w.top}
	}
}

// chooseReplicas finds out which hosts may be read besides the primary, and why
// the others may not.
func (w *Watcher) chooseReplicas() {
	w.replicas = nil
	for _, h := range w.hosts {
		var limit position.N
		h.refused = ""
		if h != w.primary {
			limit, h.refused = w.mayRead(h)
			if h.refused == "" && h.member.Load().report.Load() == nil {
				h.refused = "it has not answered since its last place was lost"
			}
		}
		used := h.known && h.refused == ""
		if h.used && !used {
			w.renew(h) // it had a place and has lost it
		}
		h.used = used
		if used && h != w.primary {
			m := h.member.Load()
			m.limit.Store(uint64(limit))
			w.replicas = append(w.replicas, m)
		}
	}
}

// publish makes what was found out the present State, if it is another one.
func (w *Watcher) publish(force bool) {
	old := w.state.Load()
	s := &State{
		replicas: w.replicas, timeline: w.top, system: w.system, history: w.history, first: w.first,
		changed: make(chan struct{}),
	}
	if w.primary != nil {
		s.primary = w.primary.member.Load()
	}
	if !force && s.primary == old.primary && slices.Equal(s.replicas, old.replicas) && s.timeline == old.timeline &&
		s.system == old.system && s.first == old.first && s.history.Timeline == old.history.Timeline &&
		slices.Equal(s.history.Forks, old.history.Forks) {
		return
	}
	w.state.Store(s)
	close(old.changed)
}
