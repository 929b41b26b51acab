package consistency

import (
	"sync"
	"sync/atomic"
)

// register is the value of one record, which is written by one writer and
// counts up by one. All methods may be called at once.
type register struct {
	sent  atomic.Int64 // the highest value that a write was begun for
	floor atomic.Int64 // the highest value that anybody was answered
	times sync.Map     // how often a value was sent, where that was more than once
}

// answered notes that somebody was answered v.
func (r *register) answered(v int64) {
	for old := r.floor.Load(); old < v && !r.floor.CompareAndSwap(old, v); old = r.floor.Load() {
	}
}

// saw checks a value that was read by a request that began when the floor was
// least, and notes it.
func (r *register) saw(least, v int64) bool {
	ok := v >= least && v <= r.sent.Load()
	if ok {
		r.answered(v)
	}
	return ok
}

// sawParity checks an answer that only tells whether the value was odd.
func (r *register) sawParity(least int64, odd bool) bool {
	v := least
	if v%2 == 1 != odd {
		v++ // the earliest value that the answer can be about
	}
	if v > r.sent.Load() {
		return false
	}
	r.answered(v)
	return true
}
