package redis

import (
	"sync"
	"sync/atomic"
	"time"
)

// state is whether a server is asked.
type state uint8

const (
	out   state = iota // nobody asks; the server's goroutine probes
	trial              // one request at a time may
	up
)

func (s state) String() string { return [...]string{"out", "trial", "up"}[s] }

const (
	maxLate     = 3  // this many late answers in a row, and a server is left out
	trialAsks   = 16 // this many good answers, and it is trusted again
	slowSamples = 32 // this many answers are looked at before it is called slow
)

// breaker decides whether a server is asked, and for how long its answer is
// waited for. It reads no clock.
type breaker struct {
	wait time.Duration // no request waits longer
	cost *atomic.Int64 // what a question to the database costs now, ns; shared
	lat  atomic.Int64  // what an answer takes, ns; smoothed

	mu      sync.Mutex
	state   state
	late    int // in a row
	samples int // since it is up
	good    int // in the trial
	busy    bool
	why     string        // it is out
	alarm   bool          // it is so for being late or slow, which may be this process's fault
	gone    chan struct{} // closed when it goes out; made when it is let in
}

func newBreaker(wait time.Duration, cost *atomic.Int64) *breaker {
	b := &breaker{wait: wait, cost: cost, gone: make(chan struct{}), why: "it was not connected to yet"}
	close(b.gone)
	return b
}

// minWait is below what a server's own pauses take, and those of this process.
const minWait = 20 * time.Millisecond

// minSlow is an answer's time that is never called slow.
const minSlow = 5 * time.Millisecond

// patience is how long a request waits: some times of what an answer usually
// takes, and of what the database would.
func (b *breaker) patience() time.Duration {
	p := 8*time.Duration(b.lat.Load()) + 2*time.Duration(b.cost.Load())
	return min(max(p, minWait), max(b.wait, minWait))
}

// slow is the time of an answer from which a server does more harm than good.
func (b *breaker) slow() time.Duration {
	return min(max(2*time.Duration(b.cost.Load()), minSlow), max(b.wait, minSlow))
}

// enter tells whether a request may be sent. Each that was is told of by leave.
func (b *breaker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.state == out || b.state == trial && b.busy:
		return false
	case b.state == trial:
		b.busy = true
	}
	return true
}

// outcome is what became of a request.
type outcome uint8

const (
	answered outcome = iota
	late             // no answer in time
	broken           // the connection is lost
	given            // up by who asked: says nothing
)

// leave takes note of an answer. It returns whether the server went out by it.
func (b *breaker) leave(o outcome, took time.Duration) bool {
	if o == answered {
		smooth(&b.lat, took)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	onTrial := b.state == trial
	b.busy = false
	switch {
	case b.state == out || o == given:
	case o == broken:
		return b.leaveOut("the connection was lost", false)
	case o == late:
		if b.late++; onTrial || b.late >= maxLate {
			return b.leaveOut("it does not answer in time", true)
		}
	case onTrial && took > b.slow():
		return b.leaveOut("it is slower than the database", true)
	case onTrial:
		b.late = 0
		if b.good++; b.good >= trialAsks {
			b.state, b.samples = up, 0
		}
	default:
		b.late = 0
		if b.samples++; b.samples >= slowSamples && time.Duration(b.lat.Load()) > b.slow() {
			return b.leaveOut("it is slower than the database", true)
		}
	}
	return false
}

func (b *breaker) leaveOut(why string, alarm bool) bool {
	b.state, b.why, b.alarm = out, why, alarm
	close(b.gone)
	return true
}

// fail leaves the server out, whoever found out.
func (b *breaker) fail(why string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state != out && b.leaveOut(why, false)
}

// letIn begins a trial: lat is what the probes took.
func (b *breaker) letIn(lat time.Duration) { b.enterState(trial, lat) }

// letBack ends a false alarm.
func (b *breaker) letBack(lat time.Duration) { b.enterState(up, lat) }

func (b *breaker) enterState(s state, lat time.Duration) {
	b.lat.Store(int64(lat))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state, b.late, b.good, b.samples, b.busy, b.why = s, 0, 0, 0, false, ""
	b.gone = make(chan struct{})
}

// now is the state, why it is out, and what tells when it goes out.
func (b *breaker) now() (state, string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.why, b.gone
}

// alarmed tells whether it is out for what may be this process's fault: where all
// processors are busy, every server seems slow.
func (b *breaker) alarmed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == out && b.alarm
}

// smooth moves an average a sixteenth of the way. Of two at once one may be
// lost, which does no harm.
func smooth(v *atomic.Int64, d time.Duration) {
	old := v.Load()
	if old == 0 {
		v.Store(int64(d))
		return
	}
	v.Store(old + (int64(d)-old)/16)
}

// explain notes why it stays out.
func (b *breaker) explain(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == out {
		b.why = why
	}
}
