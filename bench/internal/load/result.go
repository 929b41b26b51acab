package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are recorded in microseconds, up to two minutes, to 3 digits.
const maxLatency = 2 * time.Minute

// NewHistogram returns an empty histogram of latencies in microseconds.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, maxLatency.Microseconds(), 3)
}

// RecordLatency adds d to h; what is longer than h can hold counts as its
// longest.
func RecordLatency(h *hdrhistogram.Histogram, d time.Duration) {
	us := min(max(d.Microseconds(), 0), maxLatency.Microseconds())
	if err := h.RecordValue(us); err != nil {
		panic(err) // the value was cut to the histogram's range
	}
}

// Result is what a run measured.
type Result struct {
	Completed  int            // answers that were right
	Errors     int            // answers that were wrong, late or missing
	FirstError string         // the first of them, empty when there was none
	Wrong      map[string]int // how often each of them, by its text; of a hundred texts at most
	Reconnects int            // connections that the server closed between requests
	Elapsed    time.Duration  // from the first request to the last answer
	Bytes      int64          // received
	ByKind     []*hdrhistogram.Histogram
	Refused    []*hdrhistogram.Histogram // by kind: answers of [Kind.Refused], in none of the above
}

// PerSecond is the number of right answers per second.
func (r *Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Completed) / r.Elapsed.Seconds()
}

// Latencies returns the latencies of all kinds together.
func (r *Result) Latencies() *hdrhistogram.Histogram {
	all := NewHistogram()
	for _, h := range r.ByKind {
		all.Merge(h)
	}
	return all
}
