package topology

import (
	"context"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// result is how a probe ended.
type result struct {
	host   *host
	to     contact
	report Report
	err    error
	waited time.Duration // in vain, where it is silent

	// What the probe may end the doubts of: it began after them.
	member *Member
	doubts uint64

	// What was known of the log when the probe began, see Config.Known: what it
	// brings can only be more.
	timeline uint32
	known    position.N
}

// watchHost probes one host until ctx ends: every interval, or as soon as somebody
// has doubts, but never without a pause: a thousand queries that fail are not a
// thousand probes.
func (w *Watcher) watchHost(ctx context.Context, h *host) {
	pause := w.cfg.Every / 10
	p := patience{least: w.cfg.Deadline, now: w.cfg.Deadline}
	timer := time.NewTimer(w.cfg.Every)
	defer timer.Stop()
	for {
		began := time.Now()
		w.probe(ctx, h, &p)
		timer.Reset(max(w.cfg.Every-time.Since(began), pause))
		select {
		case <-timer.C:
			continue
		case <-h.poke:
		case <-ctx.Done():
			return
		}
		if rest := pause - time.Since(began); rest > 0 {
			timer.Reset(rest)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

// probe asks once. That the deadline has passed is told when it passes, and not
// when the probe returns.
func (w *Watcher) probe(ctx context.Context, h *host, p *patience) {
	r := result{host: h, member: h.member.Load()}
	r.doubts = r.member.doubted()
	if w.cfg.Known != nil {
		r.timeline, r.known = w.cfg.Known()
	}
	began, deadline := time.Now(), p.now
	asked, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	done := make(chan struct{})
	w.running.Go(func() {
		defer close(done)
		r.report, r.err = w.cfg.Probe(asked, h.name)
	})
	select {
	case <-done:
	case <-asked.Done():
	}
	switch {
	case asked.Err() != nil:
		p.silent()
		w.send(ctx, result{host: h, to: silent, waited: deadline})
		<-done
		return
	case r.err != nil:
		r.to = unreachable
	default:
		r.to = answers
		p.answered(time.Since(began))
	}
	w.send(ctx, r)
}

func (w *Watcher) send(ctx context.Context, r result) {
	select {
	case w.results <- r:
	case <-ctx.Done():
	}
}
