package lb

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// ewma is a mean that forgets: what is recent weighs most.
type ewma struct {
	mu    sync.Mutex
	mean  float64 // seconds
	at    time.Time
	count int
}

const (
	ewmaSpan   = 500 * time.Millisecond // after which a measurement weighs 1/e
	ewmaForget = time.Second            // after which the mean without new ones does
	ewmaFew    = 5                      // fewer measurements than these say nothing
)

// Differences of latency that count. What is small is noise, or a cache that is cold
// for want of requests; what is large was found out long before.
const (
	latencyNoise = 5 * time.Millisecond // or a quarter of what is typical
	latencyWorst = 5                    // times what is typical
)

func noise(typical float64) float64 { return max(latencyNoise.Seconds(), typical/4) }

// add takes a measurement. What is typical of all bounds what is remembered.
func (e *ewma) add(took time.Duration, now time.Time, typical float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := took.Seconds()
	if e.count < ewmaFew {
		e.count++
		e.mean += (s - e.mean) / float64(e.count)
	} else {
		e.mean = min(e.mean, latencyWorst*typical+noise(typical))
		// Requests that come at once share one step of time; each weighs something.
		w := max(1-math.Exp(-now.Sub(e.at).Seconds()/ewmaSpan.Seconds()), 0.01)
		e.mean += (s - e.mean) * w
	}
	e.at = now
}

// atLeast takes a measurement that was ended before its time: where more was
// expected, that holds.
func (e *ewma) atLeast(took time.Duration, now time.Time, typical float64) {
	e.mu.Lock()
	expected := time.Duration(e.mean * float64(time.Second))
	e.mu.Unlock()
	e.add(max(took, expected), now, typical)
}

// ratio is how many times slower than typical it is, from 1 to latencyWorst. While
// nobody asks, it comes back towards 1, so that somebody asks again; but not while
// somebody has asked already and waits.
func (e *ewma) ratio(now time.Time, typical float64, waiting bool) float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count < ewmaFew || typical <= 0 {
		return 1
	}
	mean := min(e.mean, latencyWorst*typical+noise(typical))
	if !waiting {
		idle := math.Exp(-now.Sub(e.at).Seconds() / ewmaForget.Seconds())
		mean = mean*idle + typical*(1-idle)
	}
	return max((mean-noise(typical))/typical, 1)
}

func (e *ewma) known() (mean float64, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mean, e.count >= ewmaFew
}

func (e *ewma) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.count, e.mean = 0, 0
}

// histogram counts times in steps of an eighth of a power of two, of now and of the
// period before.
type histogram struct {
	periods [2]counts
	now     atomic.Int32
}

const histogramPeriod = 5 * time.Second

type counts struct {
	n   atomic.Uint64
	by  [40 * 8]atomic.Uint32
	sum atomic.Int64
}

func bucketOf(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0)) + 8
	log := bits.Len64(us) - 1 // 3 or more
	return min((log-3)*8+int(us>>(log-3))&7, 40*8-1)
}

// boundOf is the upper bound of a bucket.
func boundOf(i int) time.Duration {
	log, part := i/8+3, i%8
	return time.Duration((uint64(8+part+1)<<(log-3))-8) * time.Microsecond
}

func (h *histogram) add(d time.Duration) {
	p := &h.periods[h.now.Load()]
	p.n.Add(1)
	p.sum.Add(int64(d))
	p.by[bucketOf(d)].Add(1)
}

// turn begins a new period.
func (h *histogram) turn() {
	next := 1 - h.now.Load()
	p := &h.periods[next]
	for i := range p.by {
		p.by[i].Store(0)
	}
	p.n.Store(0)
	p.sum.Store(0)
	h.now.Store(next)
}

// merged are the counts of several histograms over both periods.
func merged(list ...*histogram) (by [40 * 8]uint64, n uint64) {
	for _, h := range list {
		for p := range h.periods {
			for i := range by {
				k := uint64(h.periods[p].by[i].Load())
				by[i] += k
				n += k
			}
		}
	}
	return by, n
}

// quantile is the bound below which a share of the times lies.
func quantile(by *[40 * 8]uint64, n uint64, q float64) time.Duration {
	if n == 0 {
		return 0
	}
	rank, seen := uint64(math.Ceil(q*float64(n))), uint64(0)
	for i, k := range by {
		if seen += k; seen >= rank && k > 0 {
			return boundOf(i)
		}
	}
	return boundOf(len(by) - 1)
}
