package overload

import (
	"testing"
	"time"
)

var forUpstreams = Options{Start: 100, Least: 8, Care: 10 * time.Millisecond}

// world is an upstream that works on slots requests at once, each for so long, and lets
// the others wait; demand is how many requests would be in flight without a limit.
type world struct {
	slots, demand int
	service       time.Duration
}

// run drives l for so long, and tells the mean rate over the last half, as a share of
// what the upstream could do.
func (w world) run(l *Limiter, from *time.Time, length time.Duration) (goodput float64) {
	const step = 100 * time.Millisecond
	capacity := float64(w.slots) / w.service.Seconds()
	steps := int(length / step)
	var done, could float64
	for i := range steps {
		*from = from.Add(step)
		limit := int(l.limit.Load())
		in := min(w.demand, limit)
		rate := min(float64(in)/w.service.Seconds(), capacity)
		latency := time.Duration(float64(in) / rate * float64(time.Second))
		n := int64(rate * step.Seconds())
		l.count(n, time.Duration(n)*latency)
		if in*5 >= limit*4 {
			l.bound.Store(true)
		}
		l.Tick(*from)
		if i >= steps/2 {
			done += rate
			could += min(float64(w.demand)/w.service.Seconds(), capacity)
		}
	}
	return done / could
}

func TestLimiter(t *testing.T) {
	var l Limiter
	l.Init(forUpstreams)
	now := time.Unix(1000, 0)
	want := func(what string, goodput float64, from, to int64) {
		t.Helper()
		if got := l.limit.Load(); goodput < 0.9 || got < from || got > to {
			t.Errorf("%s: %.2f of what it could, limit %d, want 0.9 and %d to %d", what, goodput, got, from, to)
		}
	}
	quiet := world{50, 20, 20 * time.Millisecond}
	want("without load", quiet.run(&l, &now, 10*time.Second), 100, 100)
	busy := world{50, 500, 20 * time.Millisecond}
	want("overloaded", busy.run(&l, &now, 20*time.Second), 30, 100)
	slower := world{50, 500, 200 * time.Millisecond}
	want("its requests become ten times heavier", slower.run(&l, &now, 30*time.Second), 30, 110)
	want("and light again", busy.run(&l, &now, 30*time.Second), 30, 110)
	want("the load goes", quiet.run(&l, &now, 20*time.Second), 90, 110)
}

// TestLimiterFromTheStart: it finds the limit of an upstream that it has never seen
// without load.
func TestLimiterFromTheStart(t *testing.T) {
	var l Limiter
	l.Init(forUpstreams)
	now := time.Unix(1000, 0)
	goodput := world{10, 500, 20 * time.Millisecond}.run(&l, &now, 60*time.Second)
	if got := l.limit.Load(); goodput < 0.9 || got > 25 {
		t.Errorf("%.2f of what it could, limit %d for 10 places", goodput, got)
	}
}

// TestLimiterLetsQuickOnesBe: many requests at once are no overload where answers take
// no time.
func TestLimiterLetsQuickOnesBe(t *testing.T) {
	var l Limiter
	l.Init(forUpstreams)
	now := time.Unix(1000, 0)
	goodput := world{2, 256, 200 * time.Microsecond}.run(&l, &now, 20*time.Second)
	if got := l.limit.Load(); goodput < 0.9 || got < 70 {
		t.Errorf("%.2f of what it could, limit %d", goodput, got)
	}
}
