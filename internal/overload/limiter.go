package overload

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Limiter finds how many requests can be worked on at once, from latency alone: as many
// as are answered in the time that an answer takes when nothing waits (rate × latency,
// Little's law), and half as many again. More would only wait further in, where nobody
// can tell what is urgent.
//
// While the limit is not reached it does nothing. Once it is, the latency without
// waiting is looked for now and then by halving the limit for a moment: something whose
// requests have become heavier must not be throttled for it.
//
// A request costs two atomic additions, and a third if it is one of those whose time is
// taken: where there are many, one in eight is.
type Limiter struct {
	Options

	limit   atomic.Int64
	bound   atomic.Bool // the limit was reached in this window
	stalled atomic.Bool
	few     atomic.Bool  // so few answers come that each is counted
	last    atomic.Int64 // when TickAt did something
	ticking sync.Mutex

	_       [64]byte     // what follows is written all the time, what is above is read
	waiting atomic.Int64 // requests that wait for an answer
	window  atomic.Int64 // answers of this window, and the time they took: see Took

	// Of Tick alone:
	from    time.Time // of the window
	base    float64   // latency without waiting, in seconds; 0: not known
	rates   [10]float64
	lately  [10]float64 // rates of all windows, those too in which the limit was not reached
	next    time.Time   // when to look for the base again
	probing int         // windows left of looking for it
	usual   int64       // the limit before that
	baseNow atomic.Int64
}

// Options are what a limiter begins with.
type Options struct {
	Start int64 // the limit that it begins with, and goes back to
	Least int64 // it is never below
	// Care is a latency that nobody minds: below it there is no reason to limit.
	Care time.Duration
	// Stalls has it look out for stalls: see [Limiter.Stalled].
	Stalls bool
}

const (
	limitMax    = 20_000
	limitGain   = 1.5
	limitWindow = 100 * time.Millisecond
	limitLong   = time.Second // of a window with few answers
	limitFew    = 10
	limitProbe  = 3 * time.Second
)

// Init makes it usable.
func (l *Limiter) Init(o Options) {
	l.Options = o
	l.limit.Store(o.Start)
	l.few.Store(true)
}

// Limit is how many requests it lets in at once.
func (l *Limiter) Limit() int64 { return l.limit.Load() }

// Waiting is how many are in.
func (l *Limiter) Waiting() int64 { return l.waiting.Load() }

// Load is how much of the limit is taken, from 0 to 1.
func (l *Limiter) Load() float64 {
	return min(1, max(0, float64(l.waiting.Load()))/float64(max(1, l.limit.Load())))
}

// Acquire takes a place. Whoever gets one gives it back by Release.
func (l *Limiter) Acquire() bool {
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

// Force takes a place whatever the limit, for what must be answered always.
func (l *Limiter) Force() { l.waiting.Add(1) }

// Release gives a place back.
func (l *Limiter) Release() { l.waiting.Add(-1) }

// Free tells whether there is a place.
func (l *Limiter) Free() bool { return l.waiting.Load() < l.limit.Load() }

// Idle tells whether so few places are taken that whoever waits should have one: as few as
// there always are, or clearly fewer than there are now, as they have become more, or had been
// fewer for a while. Above that each one that is given back is the next one's.
func (l *Limiter) Idle() bool {
	n, limit := l.waiting.Load(), l.limit.Load()
	return n < min(l.Least, limit) || n*10 < limit*9
}

// A window's count stands above its sum, in microseconds.
const windowShift = 40

// Took counts an answer.
func (l *Limiter) Took(d time.Duration) { l.count(1, d) }

// TookOne is Took and TickAt, for an answer that began at a time; of many, one stands for
// others.
func (l *Limiter) TookOne(began time.Time, d time.Duration) {
	switch {
	case l.few.Load():
		l.count(1, d)
	case rand.Uint32()%sampled == 0:
		l.count(sampled, sampled*d)
	default:
		return
	}
	l.TickAt(began.Add(d))
}

// Beyond manyPerSecond answers, one in so many is counted.
const (
	sampled       = 8
	manyPerSecond = 2000
)

func (l *Limiter) count(n int64, sum time.Duration) {
	l.window.Add(n<<windowShift | sum.Microseconds())
}

// Stalled tells whether far fewer answers come than a moment ago, though there is work
// enough: something that all wait for does not answer. That is no overload, and passes
// or is over within seconds; it is called so for ten windows at most.
func (l *Limiter) Stalled() bool { return l.stalled.Load() }

// TickAt is Tick for who has no time of its own for it: whoever comes calls it, and
// seldom does it do anything. It may be called by many at once.
func (l *Limiter) TickAt(now time.Time) {
	at := now.UnixNano()
	if at-l.last.Load() < int64(limitWindow) || !l.ticking.TryLock() {
		return
	}
	defer l.ticking.Unlock()
	l.last.Store(at)
	l.Tick(now)
}

// Tick looks at the window if it is over.
func (l *Limiter) Tick(now time.Time) {
	if l.from.IsZero() {
		l.from = now
	}
	took, n := now.Sub(l.from), l.window.Load()>>windowShift
	if took < limitWindow {
		return
	}
	l.judgeStall(float64(n), took)
	if n < limitFew && took < limitLong {
		return
	}
	window := l.window.Swap(0)
	n = window >> windowShift
	sum := time.Duration(window&(1<<windowShift-1)) * time.Microsecond
	bound := l.bound.Swap(false)
	l.from = now
	rate := float64(n) / took.Seconds()
	if few := rate < manyPerSecond; few != l.few.Load() {
		l.few.Store(few)
	}
	copy(l.lately[1:], l.lately[:9])
	l.lately[0] = rate
	if n == 0 {
		l.ended()
		return
	}
	mean := (sum / time.Duration(n)).Seconds()
	switch {
	case l.probing > 1: // what was in flight before the limit was halved is still among these
		l.probing--
	case l.probing == 1:
		l.setBase(mean)
		l.ended()
		l.next = now.Add(limitProbe)
	case bound && l.Stalled(): // nothing is to be learnt from it
	case bound:
		l.fit(now, mean, rate)
	default:
		l.rates = [10]float64{}
		l.learn(mean)
		l.next = now.Add(limitProbe)
		if limit := l.limit.Load(); limit < l.Start {
			l.limit.Store(min(limit+limit/10+1, l.Start))
		}
	}
}

// judgeStall compares a window that need not be over with the best of before.
func (l *Limiter) judgeStall(n float64, took time.Duration) {
	best := 0.0
	for _, r := range l.lately {
		best = max(best, r)
	}
	expected := best * took.Seconds()
	stalled := l.Stalls && (l.bound.Load() || l.waiting.Load()*5 >= l.limit.Load()*4) && expected >= 4 && n < expected/4
	if stalled != l.stalled.Load() {
		l.stalled.Store(stalled)
	}
}

func (l *Limiter) setBase(seconds float64) {
	l.base = seconds
	l.baseNow.Store(int64(seconds * float64(time.Second)))
}

// learn takes the mean of a window in which the limit was not reached. Lower ones count
// more: in the others something may have waited further in already.
func (l *Limiter) learn(mean float64) {
	switch {
	case l.base == 0:
		l.setBase(mean)
	case mean < l.base:
		l.setBase(l.base + (mean-l.base)*0.3)
	default:
		l.setBase(l.base + (mean-l.base)*0.003)
	}
}

// fit moves the limit to what is answered.
func (l *Limiter) fit(now time.Time, mean, rate float64) {
	copy(l.rates[1:], l.rates[:9])
	l.rates[0] = rate
	if l.base == 0 {
		l.setBase(mean) // never seen without load: look at once
		l.next = now
	}
	if !now.Before(l.next) {
		l.usual, l.probing = l.limit.Load(), 3
		l.limit.Store(max(l.usual/2, l.Least/2))
		return
	}
	best := 0.0
	for _, r := range l.rates {
		best = max(best, r)
	}
	limit := float64(l.limit.Load())
	target := limitGain*best*max(l.base, l.Care.Seconds()) + 1
	slowest := 0.7
	if mean > 3*l.base {
		slowest = 0.5
	}
	target = min(max(target, limit*slowest), limit*1.25+1)
	l.limit.Store(int64(min(max(target, float64(l.Least)), limitMax)))
}

// ended puts the usual limit back.
func (l *Limiter) ended() {
	if l.probing > 0 {
		l.probing = 0
		l.limit.Store(l.usual)
	}
}

// Patience is how long a request may wait for a place, given the latency without
// waiting: as long again, and in any case so long that nobody minds.
func (l *Limiter) Patience(least time.Duration) time.Duration {
	if base := time.Duration(l.baseNow.Load()); base > l.Care {
		return base
	}
	return least
}
