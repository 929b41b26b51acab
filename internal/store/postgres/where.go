package postgres

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// scan reads a position as a number and a timeline in hex.
func (at *where) scan(n, timeline []byte) error {
	lsn, err := strconv.ParseUint(string(n), 10, 64)
	if err != nil {
		return fmt.Errorf("postgres: position %q: %w", n, err)
	}
	tl, err := strconv.ParseUint(string(timeline), 16, 32)
	if err != nil {
		return fmt.Errorf("postgres: timeline %q: %w", timeline, err)
	}
	at.n, at.timeline = position.N(lsn), uint32(tl)
	return nil
}

// positions is the greatest position that anybody was given here, or that the primary
// was found to have reached.
type positions struct {
	mu   sync.Mutex
	most position.Token
}

func (p *positions) given(t position.Token) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.Compare(p.most) > 0 {
		p.most = t
	}
}

func (p *positions) greatest() position.Token {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// given notes that somebody who keeps positions is given one.
func (s *Store) given(ctx context.Context, timeline uint32, n position.N) {
	session := position.SessionOf(ctx)
	if session == nil {
		return
	}
	t := position.Token{Timeline: timeline, N: n}
	s.positions.given(t)
	session.Observe(t)
}

// Judge says what a position that a client presents is worth now.
//
// One that is ahead of all that this server has heard of was given out by another
// server, most often: the primary is asked whether it is as far. While there is none to
// ask, it holds. Without a lease nobody knows whether what calls itself the primary is
// one; with one, it is one if its timeline is that of the stream. A server can hear of
// commits from others while all that it reaches itself is a primary that was replaced.
func (s *Store) Judge(ctx context.Context, t position.Token) position.Verdict {
	v := s.judge(ctx, t)
	switch {
	case v != position.Future:
		return v
	case s.clock != nil && !s.clock.Index().Leased():
		return position.Holds
	}
	ask, cancel := context.WithTimeout(ctx, judgeWait)
	defer cancel()
	at, err := s.primaryAt(ask)
	if err != nil {
		return position.Holds
	}
	if s.clock != nil {
		if x := s.clock.Index(); !x.Leased() || x.Streamed() && x.Epoch().Timeline != at.timeline {
			return position.Holds
		}
	}
	s.positions.given(position.Token{Timeline: at.timeline, N: at.n})
	return s.judge(ctx, t)
}

// judgeWait is how long the primary, or what there is to know of a failover, is waited for.
const judgeWait = time.Second

// judge is Judge by what this server has heard of.
func (s *Store) judge(ctx context.Context, t position.Token) position.Verdict {
	h := s.history(ctx, t)
	latest := s.present().Latest()
	if g := s.positions.greatest(); g.Timeline == h.Timeline {
		latest = max(latest, g.N)
	}
	return h.Judge(t, latest)
}

// Void tells whether a failover has taken back what a position stands for.
func (s *Store) Void(ctx context.Context, t position.Token) bool { return s.history(ctx, t).Void(t) }

// history is that of the timeline that answers are of now. The stream may tell of one before
// any host has: who presents a position of an earlier one waits a moment for where that ended.
// Where that stays unknown all of it counts as lost.
func (s *Store) history(ctx context.Context, t position.Token) position.History {
	state, line := s.nodes.watcher.State(), s.present().Epoch().Timeline
	if line <= state.History().Timeline {
		return state.History()
	}
	wait, cancel := context.WithTimeout(ctx, judgeWait)
	defer cancel()
	for t.Timeline < line && moved(wait, state) {
		if state = s.nodes.watcher.State(); line <= state.History().Timeline {
			return state.History()
		}
	}
	return position.History{Timeline: line}
}

// primaryAt is how far the primary is.
func (s *Store) primaryAt(ctx context.Context) (at where, err error) {
	n, c, err := s.nodes.reader(ctx, 0, true)
	if err != nil {
		return at, err
	}
	defer n.release(c)
	return at, c.run(ctx, at.query(n))
}
