package web

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// streams ends event streams. Clients connect again by themselves; that they do not
// all do so at once is for the server to see to.
type streams struct {
	mu    sync.Mutex
	ended *ending // of those that are open now
	final bool
}

// ending is how some streams end, once over is closed.
type ending struct {
	over   chan struct{}
	spread time.Duration // each of them at some moment within that time
}

// now is how a stream ends that begins now.
func (s *streams) now() *ending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *streams) end(spread time.Duration, final bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final {
		return
	}
	s.final = final
	s.ended.spread = spread
	close(s.ended.over)
	if !final {
		s.ended = newEnding()
	}
}

func newEnding() *ending { return &ending{over: make(chan struct{})} }

// moment is when one of the streams is to end.
func (e *ending) moment() <-chan time.Time {
	if e.spread <= 0 {
		done := make(chan time.Time)
		close(done)
		return done
	}
	return time.After(rand.N(e.spread))
}

// Between these times clients are told to come back.
const (
	comeBackFirst = 100 * time.Millisecond
	comeBackLast  = 2 * time.Second
)

// appendComeBack is the last that a stream says: when to connect again.
func appendComeBack(buf []byte) []byte {
	return fmt.Appendf(buf, "retry:%d\n\n", (comeBackFirst + rand.N(comeBackLast-comeBackFirst)).Milliseconds())
}
