package overload

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// MaxQueued bounds the memory of what waits. Time bounds it sooner.
const MaxQueued = 2048

// Queue holds the requests that wait for a place: first those that matter, in the order
// of arrival, and each only for a moment.
type Queue struct {
	// Idle tells that there are so many places that nobody should wait; it may be nil, if
	// somebody looks from time to time. Whoever had a place may have given it back just
	// before the next one is in the line, and wakes nobody any more.
	Idle func() bool

	length atomic.Int64 // of both, for a look without the lock

	mu   sync.Mutex // guards what follows
	rows [2][]*waiter
}

type waiter struct {
	turn chan bool // true: look for a place; false: shed
	gone bool      // guarded by Queue.mu
}

// Length is how many wait.
func (q *Queue) Length() int64 { return q.length.Load() }

// Wait waits for a turn, for at most patience. It tells whether there is one.
func (q *Queue) Wait(ctx context.Context, c Class, patience time.Duration) bool {
	w := &waiter{turn: make(chan bool, 1)}
	if !q.join(w, c) {
		return false
	}
	q.WakeIfIdle() // the first, which may be another
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case turn := <-w.turn:
		return turn
	case <-t.C:
	case <-ctx.Done():
	}
	if q.leave(w, c) {
		return false
	}
	return <-w.turn // its turn came at the same moment: the place would be lost
}

// join puts w into its row. When all is full, one that matters takes the place of one
// that does not; low ones never take more than half.
func (q *Queue) join(w *waiter, c Class) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.rows[Low]) + len(q.rows[Normal])
	switch {
	case c == Low && n >= MaxQueued/2:
		return false
	case n < MaxQueued:
	case c == Normal && len(q.rows[Low]) > 0:
		last := len(q.rows[Low]) - 1
		q.out(q.rows[Low][last], false)
		q.rows[Low] = q.rows[Low][:last]
	default:
		return false
	}
	q.rows[c] = append(q.rows[c], w)
	q.length.Add(1)
	return true
}

func (q *Queue) leave(w *waiter, c Class) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.gone {
		return false
	}
	for i, other := range q.rows[c] {
		if other == w {
			q.rows[c] = append(q.rows[c][:i], q.rows[c][i+1:]...)
			break
		}
	}
	w.gone = true
	q.length.Add(-1)
	return true
}

func (q *Queue) out(w *waiter, turn bool) {
	w.gone = true
	w.turn <- turn
	q.length.Add(-1)
}

// WakeIfIdle is Wake, where nobody should wait.
func (q *Queue) WakeIfIdle() {
	if q.Idle != nil && q.Idle() {
		q.Wake()
	}
}

// Wake gives the next one its turn.
func (q *Queue) Wake() {
	if q.length.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range []Class{Normal, Low} {
		if len(q.rows[c]) > 0 {
			w := q.rows[c][0]
			q.rows[c] = q.rows[c][1:]
			q.out(w, true)
			return
		}
	}
}
