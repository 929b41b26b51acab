package postgres

import (
	"context"
	"fmt"
	"strconv"
	"sync"

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

// positions is the greatest position that anybody was given.
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
func (s *Store) Judge(t position.Token) position.Verdict {
	state := s.nodes.watcher.State()
	latest := s.present().Latest()
	if g := s.positions.greatest(); g.Timeline == state.Timeline() {
		latest = max(latest, g.N)
	}
	return state.History().Judge(t, latest)
}
