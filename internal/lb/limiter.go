package lb

import (
	"sync/atomic"
	"time"
)

// limiter finds how many requests an upstream can work on at once, from latency alone:
// as many as it answers in the time that an answer takes when nothing waits (rate ×
// latency, Little's law), and half as many again. More would only wait inside the
// upstream, where nobody can tell what is urgent.
//
// While the limit is not reached it does nothing. Once it is, the latency without
// waiting is looked for now and then by halving the limit for a moment: an upstream
// whose requests have become heavier must not be throttled for it.
type limiter struct {
	limit   atomic.Int64
	waiting atomic.Int64 // requests that wait for an answer's header
	n, sum  atomic.Int64 // answers of this window, and the time they took
	bound   atomic.Bool  // the limit was reached in this window

	// Of tick alone:
	from    time.Time // of the window
	base    float64   // latency without waiting, in seconds; 0: not known
	rates   [10]float64
	next    time.Time // when to look for the base again
	probing int       // windows left of looking for it
	usual   int64     // the limit before that
}

const (
	limitStart  = 100
	limitMin    = 8
	limitMax    = 20_000
	limitGain   = 1.5
	limitWindow = 100 * time.Millisecond
	limitLong   = time.Second // of a window with few answers
	limitFew    = 10
	limitProbe  = 3 * time.Second
	// limitCare is a latency that nobody minds: below it there is no reason to limit.
	limitCare = 10 * time.Millisecond
)

func (l *limiter) init() { l.limit.Store(limitStart) }

// acquire takes a place. Whoever gets one gives it back by release.
func (l *limiter) acquire() bool {
	n, limit := l.waiting.Add(1), l.limit.Load()
	if n*5 >= limit*4 && !l.bound.Load() {
		l.bound.Store(true)
	}
	if n > limit {
		l.waiting.Add(-1)
		return false
	}
	return true
}

// force takes a place whatever the limit, for what must be answered always.
func (l *limiter) force() { l.waiting.Add(1) }

func (l *limiter) release() { l.waiting.Add(-1) }

func (l *limiter) free() bool { return l.waiting.Load() < l.limit.Load() }

// took counts an answer.
func (l *limiter) took(d time.Duration) {
	l.n.Add(1)
	l.sum.Add(int64(d))
}

// tick looks at the window if it is over.
func (l *limiter) tick(now time.Time) {
	if l.from.IsZero() {
		l.from = now
	}
	took, n := now.Sub(l.from), l.n.Load()
	if took < limitWindow || n < limitFew && took < limitLong {
		return
	}
	n, sum := l.n.Swap(0), l.sum.Swap(0)
	bound := l.bound.Swap(false)
	l.from = now
	if n == 0 {
		l.ended()
		return
	}
	mean, rate := time.Duration(sum/n).Seconds(), float64(n)/took.Seconds()
	switch {
	case l.probing > 1: // what was in flight before the limit was halved is still among these
		l.probing--
	case l.probing == 1:
		l.base = mean
		l.ended()
		l.next = now.Add(limitProbe)
	case bound:
		l.fit(now, mean, rate)
	default:
		l.rates = [10]float64{}
		l.learn(mean)
		l.next = now.Add(limitProbe)
		if limit := l.limit.Load(); limit < limitStart {
			l.limit.Store(min(limit+limit/10+1, limitStart))
		}
	}
}

// learn takes the mean of a window in which the limit was not reached. Lower ones count
// more: in the others something may have waited inside the upstream already.
func (l *limiter) learn(mean float64) {
	switch {
	case l.base == 0:
		l.base = mean
	case mean < l.base:
		l.base += (mean - l.base) * 0.3
	default:
		l.base += (mean - l.base) * 0.003
	}
}

// fit moves the limit to what the upstream answers.
func (l *limiter) fit(now time.Time, mean, rate float64) {
	copy(l.rates[1:], l.rates[:9])
	l.rates[0] = rate
	if l.base == 0 {
		l.base, l.next = mean, now // never seen without load: look at once
	}
	if !now.Before(l.next) {
		l.usual, l.probing = l.limit.Load(), 3
		l.limit.Store(max(l.usual/2, limitMin/2))
		return
	}
	best := 0.0
	for _, r := range l.rates {
		best = max(best, r)
	}
	limit := float64(l.limit.Load())
	target := limitGain*best*max(l.base, limitCare.Seconds()) + 1
	slowest := 0.7
	if mean > 3*l.base {
		slowest = 0.5
	}
	target = min(max(target, limit*slowest), limit*1.25+1)
	l.limit.Store(int64(min(max(target, limitMin), limitMax)))
}

// ended puts the usual limit back.
func (l *limiter) ended() {
	if l.probing > 0 {
		l.probing = 0
		l.limit.Store(l.usual)
	}
}

// patience is how long a request may wait for a place, given the latency without
// waiting: as long again. Where answers are quick, nobody minds a tenth of a second.
func (l *limiter) patience() time.Duration {
	if base := time.Duration(l.base * float64(time.Second)); base > limitCare {
		return base
	}
	return 100 * time.Millisecond
}
