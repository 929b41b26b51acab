package judge

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Servers is how many servers a run has at most.
const Servers = 3

// Register is the value of one record, which counts up. All methods may be called at once.
type Register struct {
	sent  atomic.Int64          // the highest value that a write was begun for
	floor atomic.Int64          // the highest value that anybody was answered, but for answers with an Age
	at    [Servers]atomic.Int64 // ... by each server, with an Age too: in its present life, see lived
	times sync.Map              // how often a value was sent, where that was more than once

	mu   sync.Mutex
	lost []int64 // what was left, each time that something was lost
}

// Answer tells who gave one.
type Answer struct {
	Server int   // its number; -1: nobody knows, behind a load balancer for instance
	Life   int64 // how often that had been started
	Marked bool  // it has an Age
}

// lived is a value in a life of a server: what one that has been started anew has answered
// before binds it no more.
func lived(life, v int64) int64 { return life<<valueBits | v }

const valueBits = 44

// Bound is what was answered when a request began.
type Bound struct {
	all  int64
	at   [Servers]int64
	lost int // how often something had been lost
}

// Send is the next value, which a write is begun for.
func (r *Register) Send() int64 { return r.sent.Add(1) }

// Raise says that a write was begun for v.
func (r *Register) Raise(v int64) { raise(&r.sent, v) }

// Sent is the highest value that a write was begun for.
func (r *Register) Sent() int64 { return r.sent.Load() }

// Repeat says that v was sent so many times; [Register.Times] is how many that were.
func (r *Register) Repeat(v, times int64) { r.times.Store(v, times) }

// Times is how often v was sent.
func (r *Register) Times(v int64) int64 {
	if n, ok := r.times.Load(v); ok {
		return n.(int64)
	}
	return 1
}

// Reached is the highest value that anybody was answered without an Age.
func (r *Register) Reached() int64 { return r.floor.Load() }

// Bound is what has been answered by now.
func (r *Register) Bound() (b Bound) {
	r.mu.Lock()
	b.lost = len(r.lost)
	r.mu.Unlock()
	b.all = r.floor.Load()
	for i := range b.at {
		b.at[i] = r.at[i].Load()
	}
	return b
}

// Lose says that only what led to v is left, and that who asks knows.
func (r *Register) Lose(v int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = append(r.lost, v)
	lower(&r.floor, v)
	for i := range r.at {
		lower(&r.at[i], lived(r.at[i].Load()>>valueBits, v))
	}
}

// Of is what an answer must not go below: what its own server has answered, and, if it does
// not say that it may be old, what anybody was answered.
func (r *Register) Of(a Answer, b Bound) (least int64) {
	if a.Server >= 0 && b.at[a.Server]>>valueBits == a.Life {
		least = b.at[a.Server] & (1<<valueBits - 1)
	}
	if !a.Marked {
		least = max(least, b.all)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.lost[b.lost:] {
		least = min(least, v)
	}
	return least
}

// Text says what an answer must not go below.
func (r *Register) Text(a Answer, b Bound) string {
	least := r.Of(a, b)
	if a.Marked || least > b.all {
		return fmt.Sprintf("server %d itself had answered %d, perhaps with an Age", a.Server, least)
	}
	return fmt.Sprintf("somebody was answered %d", least)
}

// Answered notes that somebody was answered v.
func (r *Register) Answered(v int64) { raise(&r.floor, v) }

// Noted notes that an answer showed v.
func (r *Register) Noted(a Answer, v int64) {
	if !a.Marked {
		r.Answered(v)
	}
	if a.Server >= 0 {
		raise(&r.at[a.Server], lived(a.Life, v))
	}
}

// Saw checks a value that was read by a request that began at the bound, and notes it.
func (r *Register) Saw(a Answer, least Bound, v int64) bool {
	ok := v >= r.Of(a, least) && v <= r.Sent()
	if ok {
		r.Noted(a, v)
	}
	return ok
}

// SawParity checks an answer that only tells whether the value was odd.
func (r *Register) SawParity(a Answer, least Bound, odd bool) bool {
	v := r.Of(a, least)
	if v%2 == 1 != odd {
		v++ // the earliest value that the answer can be about
	}
	if v > r.Sent() {
		return false
	}
	r.Noted(a, v)
	return true
}

func raise(to *atomic.Int64, v int64) {
	for old := to.Load(); old < v && !to.CompareAndSwap(old, v); old = to.Load() {
	}
}

func lower(to *atomic.Int64, v int64) {
	for old := to.Load(); old > v && !to.CompareAndSwap(old, v); old = to.Load() {
	}
}
