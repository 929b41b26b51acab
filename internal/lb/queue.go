package lb

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// class is how much a request matters when not all can be answered.
type class uint8

const (
	low    class = iota // shed first
	normal              // everything else
	always              // health and administration: never queued, never shed
)

// maxQueued bounds the memory of what waits. Time bounds it sooner.
const maxQueued = 2048

// queue holds the requests that wait for a place at an upstream: first those that
// matter, in the order of arrival, and each only for a moment.
type queue struct {
	length atomic.Int64 // of both, for a look without the lock

	mu   sync.Mutex // guards what follows
	rows [2][]*waiter
}

type waiter struct {
	turn chan bool // true: look for a place; false: shed
	gone bool      // guarded by queue.mu
}

// wait waits for a turn, for at most patience. It tells whether there is one.
func (q *queue) wait(ctx context.Context, c class, patience time.Duration) bool {
	w := &waiter{turn: make(chan bool, 1)}
	if !q.join(w, c) {
		return false
	}
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
func (q *queue) join(w *waiter, c class) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.rows[low]) + len(q.rows[normal])
	switch {
	case c == low && n >= maxQueued/2:
		return false
	case n < maxQueued:
	case c == normal && len(q.rows[low]) > 0:
		last := len(q.rows[low]) - 1
		q.out(q.rows[low][last], false)
		q.rows[low] = q.rows[low][:last]
	default:
		return false
	}
	q.rows[c] = append(q.rows[c], w)
	q.length.Add(1)
	return true
}

func (q *queue) leave(w *waiter, c class) bool {
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

func (q *queue) out(w *waiter, turn bool) {
	w.gone = true
	w.turn <- turn
	q.length.Add(-1)
}

// wake gives the next one its turn.
func (q *queue) wake() {
	if q.length.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range []class{normal, low} {
		if len(q.rows[c]) > 0 {
			w := q.rows[c][0]
			q.rows[c] = q.rows[c][1:]
			q.out(w, true)
			return
		}
	}
}
