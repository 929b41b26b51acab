package lb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"syscall"
	"time"
)

// watchMember probes m until ctx ends, first at once.
func (b *Balancer) watchMember(ctx context.Context, m *member) {
	for {
		began := time.Now()
		m.probing.Store(began.UnixNano())
		if v := b.probeNow(ctx, m, b.cfg.Health.ProbeTimeout); v.spoke {
			m.probed.Store(int64(time.Since(began)))
		}
		m.probing.Store(0)
		m.first.Do(func() { close(m.asked) })
		every := b.cfg.Health.Interval
		t := time.NewTimer(every*9/10 + rand.N(every/5+1)) // not all at one moment
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// probeNow asks m and judges the answer.
func (b *Balancer) probeNow(ctx context.Context, m *member, timeout time.Duration) verdict {
	v := b.probe(ctx, m, timeout)
	if ctx.Err() != nil {
		return v
	}
	now := time.Now()
	silent := now.Sub(time.Unix(0, m.lastWord.Load())) > b.cfg.Health.ProbeTimeout
	changed := m.judge(v, now)
	switch s, _, _ := m.state(); {
	case v.spoke || !silent:
	case changed && s == stateDown:
		m.abortAll(errSilent) // a machine that is gone says no farewell
	case !v.gone && m.lost() && b.spares(m):
		m.abortBegun(errSilent) // it was out already, and had gone on with its answers
	}
	if changed {
		b.tell(m)
		b.rebuild(now)
		b.queue.Wake()
	}
	return v
}

// tell logs the state of m, which has changed.
func (b *Balancer) tell(m *member) {
	s, reason, _ := m.state()
	if s == stateUp {
		b.log.Info("upstream is up", "upstream", m.name())
		return
	}
	b.log.Warn("upstream gets no requests", "upstream", m.name(), "state", s.String(), "reason", reason)
}

// probe asks over a connection of its own: what is pooled says nothing of whether it
// takes new ones.
func (b *Balancer) probe(ctx context.Context, m *member, timeout time.Duration) verdict {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	nc, err := m.dial(ctx)
	if err != nil {
		return verdict{reason: "cannot be reached: " + err.Error(), gone: errors.Is(err, syscall.ECONNREFUSED)}
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	path := b.cfg.Health.ProbePath
	_, err = fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pando-lb\r\nConnection: close\r\n\r\n", path, m.upstream().Address)
	if err != nil {
		return verdict{reason: "does not take a probe: " + err.Error()}
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(nc, 64<<10)), nil)
	if err != nil {
		return verdict{reason: fmt.Sprintf("does not answer a probe within %s", timeout)}
	}
	m.load.take(resp.Header.Get(HeaderLoad), time.Now())
	switch s := resp.StatusCode; {
	case s < 400:
		return verdict{ready: true, spoke: true}
	case s < 500:
		// It is there, and has no such page. That it cannot say whether it is ready is
		// no reason to do without it.
		m.pathless.Do(func() {
			b.log.Warn("the upstream has no such page and counts as ready while it answers: name one with --probe-path",
				"upstream", m.name(), "path", path, "status", s)
		})
		return verdict{ready: true, spoke: true}
	default:
		return verdict{spoke: true, reason: fmt.Sprintf("answers %d to %s", s, path)}
	}
}

// recheck probes m out of turn, if nobody does already: requests have failed there.
func (b *Balancer) recheck(m *member) {
	ctx := b.running.Load()
	if ctx == nil || m.health.checking.Swap(true) {
		return
	}
	b.tasks.Go(func() {
		defer m.health.checking.Store(false)
		b.probeNow(*ctx, m, b.cfg.Health.ProbeTimeout)
	})
}
