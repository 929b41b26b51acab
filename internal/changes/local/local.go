// Package local is the ordered stream of changes inside one process: the store's
// writer publishes, and one goroutine delivers to everybody who follows.
//
// The queue between the two is not bounded, because the writer must not wait
// for a follower; it is accounted instead ([Stream.Stats]), and each follower is
// expected to hand its work on quickly.
package local

import (
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/pandobase/pando/internal/changes"
)

// Stream is a [changes.Sink] and a [changes.Stream].
type Stream struct {
	log *slog.Logger

	mu        sync.Mutex
	wake      sync.Cond // the queue is no longer empty, or the stream is closed
	queue     []changes.Batch
	published uint64 // batches so far; the last one's number
	stats     Stats
	followers []*follower
	closed    bool

	done chan struct{} // the delivering goroutine has ended
}

var (
	_ changes.Sink   = (*Stream)(nil)
	_ changes.Stream = (*Stream)(nil)
)

// Stats says how far delivery is behind.
type Stats struct {
	Batches   int    // published and not delivered yet
	Changes   int    // the record changes in them
	Delivered uint64 // batches delivered since the start
	Peak      int    // the most batches that ever waited
}

// follower is one subscription. Its lock is held while f runs, so that whoever
// stops it waits for a running call.
type follower struct {
	mu      sync.Mutex
	f       func(changes.Batch)
	after   uint64 // batches up to this number are from before it came
	stopped bool
}

// New starts a stream. A follower's panic is caught and written to log.
func New(log *slog.Logger) *Stream {
	s := &Stream{log: log, done: make(chan struct{})}
	s.wake.L = &s.mu
	go s.deliver()
	return s
}

// Publish queues a batch. After Close it does nothing.
func (s *Stream) Publish(b changes.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.published++
	s.queue = append(s.queue, b)
	s.stats.Batches++
	s.stats.Changes += len(b.Changes)
	s.stats.Peak = max(s.stats.Peak, s.stats.Batches)
	s.wake.Signal()
}

// Subscribe adds a follower. It must not call its own stop function from f,
// which would wait for itself; both may be called from f otherwise.
func (s *Stream) Subscribe(f func(changes.Batch)) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &follower{f: f, after: s.published}
	// A new slice each time: the delivering goroutine walks the old one.
	s.followers = append(s.followers[:len(s.followers):len(s.followers)], w)
	return func() { s.remove(w) }
}

func (s *Stream) remove(w *follower) {
	s.mu.Lock()
	rest := make([]*follower, 0, len(s.followers))
	for _, o := range s.followers {
		if o != w {
			rest = append(rest, o)
		}
	}
	s.followers = rest
	s.mu.Unlock()

	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
}

// Stats counts now.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close delivers what was published before it, then ends the stream. It may be
// called twice, but not by a follower.
func (s *Stream) Close() error {
	s.mu.Lock()
	s.closed = true
	s.wake.Signal()
	s.mu.Unlock()
	<-s.done
	return nil
}

func (s *Stream) deliver() {
	defer close(s.done)
	var number uint64 // of the last batch taken from the queue
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.wake.Wait()
		}
		batches, followers := s.queue, s.followers
		s.queue = nil
		s.mu.Unlock()
		if len(batches) == 0 {
			return
		}
		for _, b := range batches {
			number++
			for _, w := range followers {
				s.call(w, number, b)
			}
			s.mu.Lock()
			s.stats.Batches--
			s.stats.Changes -= len(b.Changes)
			s.stats.Delivered++
			followers = s.followers
			s.mu.Unlock()
		}
	}
}

func (s *Stream) call(w *follower, number uint64, b changes.Batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || number <= w.after {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a follower of the changes panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	w.f(b)
}
