package topology

import (
	"sync"
	"time"
)

// How long nobody guesses that a replica has come far enough, after it had not: twice as
// long each time, until it has.
const (
	guessLeast = 5 * time.Millisecond
	guessMost  = time.Second
)

// guess is how well it goes to ask a replica for what it was not known to have. One that
// keeps up has nearly always replayed what was committed milliseconds ago, and is only
// heard a few times a second; one that is late is not asked in vain.
type guess struct {
	mu    sync.Mutex
	pause time.Duration
	until time.Time
}

// Guessed says whether a replica that was asked had come far enough.
func (m *Member) Guessed(right bool) {
	g := &m.guess
	g.mu.Lock()
	defer g.mu.Unlock()
	if right {
		g.pause = 0
		return
	}
	g.pause = min(max(2*g.pause, guessLeast), guessMost)
	g.until = time.Now().Add(g.pause)
}

// prompt tells whether a guess is worth while.
func (m *Member) prompt(now time.Time) bool {
	g := &m.guess
	g.mu.Lock()
	defer g.mu.Unlock()
	return !now.Before(g.until)
}
