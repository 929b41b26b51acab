package consistency

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// mostServers is how many servers a run has at most.
const mostServers = 3

// register is the value of one record, which is written by one writer and
// counts up by one. All methods may be called at once.
type register struct {
	sent  atomic.Int64              // the highest value that a write was begun for
	floor atomic.Int64              // the highest value that anybody was answered, but for answers with an Age
	at    [mostServers]atomic.Int64 // ... by each server, with an Age too
	times sync.Map                  // how often a value was sent, where that was more than once
}

// answer tells who gave one.
type answer struct {
	server int  // its number; -1: behind a load balancer, nobody knows
	marked bool // it has an Age
}

// bound is what was answered when a request began.
type bound struct {
	all int64
	at  [mostServers]int64
}

func (r *register) bound() (b bound) {
	b.all = r.floor.Load()
	for i := range b.at {
		b.at[i] = r.at[i].Load()
	}
	return b
}

// of is what an answer must not go below: what anybody was answered; and one that says
// that it may be old, what the same server has answered.
func (b bound) of(a answer) int64 {
	switch {
	case !a.marked:
		return b.all
	case a.server < 0:
		return 0
	}
	return b.at[a.server]
}

// text says what an answer must not go below.
func (b bound) text(a answer) string {
	if a.marked {
		return fmt.Sprintf("the same server had answered %d, though with an Age", b.of(a))
	}
	return fmt.Sprintf("somebody was answered %d", b.all)
}

// answered notes that somebody was answered v.
func (r *register) answered(v int64) { raise(&r.floor, v) }

func raise(to *atomic.Int64, v int64) {
	for old := to.Load(); old < v && !to.CompareAndSwap(old, v); old = to.Load() {
	}
}

// noted notes that an answer showed v.
func (r *register) noted(a answer, v int64) {
	if !a.marked {
		r.answered(v)
	}
	if a.server >= 0 {
		raise(&r.at[a.server], v)
	}
}

// saw checks a value that was read by a request that began at the bound, and notes it.
func (r *register) saw(a answer, least bound, v int64) bool {
	ok := v >= least.of(a) && v <= r.sent.Load()
	if ok {
		r.noted(a, v)
	}
	return ok
}

// sawParity checks an answer that only tells whether the value was odd.
func (r *register) sawParity(a answer, least bound, odd bool) bool {
	v := least.of(a)
	if v%2 == 1 != odd {
		v++ // the earliest value that the answer can be about
	}
	if v > r.sent.Load() {
		return false
	}
	r.noted(a, v)
	return true
}
