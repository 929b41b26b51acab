package system

import (
	"context"
	"sync"
	"time"
)

// Counts are counters of a node since its start.
type Counts struct {
	Requests uint64
	Errors   uint64    // of these: answers that say the server failed
	Bounds   []float64 // seconds: the upper bounds of buckets
	Buckets  []uint64  // requests that took no longer than each bound
	Hits     uint64    // reads that the cache answered
	Misses   uint64
}

// Window keeps counters for as long as to say what the last seconds were like.
type Window struct {
	counts func() Counts

	mu    sync.Mutex
	looks []look // the oldest first
}

type look struct {
	at     time.Time
	counts Counts
}

const (
	windowEvery = time.Second
	windowLooks = 10
)

// NewWindow is one over counts.
func NewWindow(counts func() Counts) *Window {
	w := &Window{counts: counts}
	w.look(time.Now())
	return w
}

// Run looks every second until ctx ends.
func (w *Window) Run(ctx context.Context) {
	tick := time.NewTicker(windowEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			w.look(now)
		}
	}
}

func (w *Window) look(now time.Time) {
	counts := w.counts()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.looks) == windowLooks {
		w.looks = w.looks[1:]
	}
	w.looks = append(w.looks, look{now, counts})
}

// least is what a rate is said of.
const least = 100 * time.Millisecond

// Fill says of a node what it did in the window; what cannot be said is left out.
func (w *Window) Fill(n *Node) { w.fill(n, time.Now()) }

func (w *Window) fill(n *Node, now time.Time) {
	after := w.counts()
	w.mu.Lock()
	first := w.looks[0]
	w.mu.Unlock()
	took := now.Sub(first.at)
	if took < least {
		return
	}
	before := first.counts
	requests := after.Requests - before.Requests
	rate := float64(requests) / took.Seconds()
	n.Rate = &rate
	if requests > 0 {
		failed := float64(after.Errors-before.Errors) / float64(requests)
		n.Errors = &failed
	}
	n.P50, n.P99 = quantile(before, after, 0.5), quantile(before, after, 0.99)
	if hits, misses := after.Hits-before.Hits, after.Misses-before.Misses; hits+misses > 0 {
		share := float64(hits) / float64(hits+misses)
		n.Hits = &share
	}
}

// quantile is in milliseconds, by the buckets; between two bounds it is as if
// requests were spread evenly. nil if there were none.
func quantile(before, after Counts, q float64) *float64 {
	if len(after.Buckets) == 0 {
		return nil
	}
	at := func(i int) float64 {
		n := after.Buckets[i]
		if i < len(before.Buckets) {
			n -= before.Buckets[i]
		}
		return float64(n)
	}
	last := len(after.Buckets) - 1
	all := at(last) // the last bucket has no bound
	if all == 0 {
		return nil
	}
	low, below := 0.0, 0.0
	for i := range after.Buckets {
		if i == len(after.Bounds) {
			break
		}
		if n := at(i); n >= q*all {
			ms := (low + (after.Bounds[i]-low)*(q*all-below)/max(n-below, 1)) * 1000
			return &ms
		}
		low, below = after.Bounds[i], at(i)
	}
	ms := low * 1000 // more than the greatest bound
	return &ms
}
