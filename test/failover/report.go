package failover

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// figures are what the log says about a span of time.
type figures struct {
	reads, readsFailed   int
	readsDoubted         int // failed, of what a write with an unknown outcome may have changed
	writes, writesFailed int // answered with 200, with 503
	unknown              int // of these, with the outcome unknown
	readGap, writeGap    time.Duration
	slowRead, slowWrite  time.Duration // the slowest that was answered with 200
	odd                  []string      // answers that are none of the above
}

// between makes figures of the answers to what was asked within a span.
func (l *load) between(from, to time.Duration) (f figures) {
	l.mu.Lock()
	log := slices.Clone(l.log)
	l.mu.Unlock()
	slices.SortFunc(log, func(a, b answer) int { return cmp.Compare(a.ended, b.ended) })
	lastRead, lastWrite := from, from
	for _, a := range log {
		if a.ended < from || a.begun > to {
			continue
		}
		took := a.ended - a.begun
		switch {
		case a.status == 200 && a.write:
			f.writes++
			f.slowWrite = max(f.slowWrite, took)
			f.writeGap, lastWrite = max(f.writeGap, min(a.ended, to)-lastWrite), a.ended
		case a.status == 200:
			f.reads++
			f.slowRead = max(f.slowRead, took)
			f.readGap, lastRead = max(f.readGap, min(a.ended, to)-lastRead), a.ended
		case a.status == 503 && a.retryAfter != "" && (a.outcome == "" || a.outcome == "unknown"):
			switch {
			case !a.write && a.doubt: // only a primary could tell, and there is none
				f.readsDoubted++
				continue
			case !a.write:
				f.readsFailed++
				continue
			}
			f.writesFailed++
			if a.outcome == "unknown" {
				f.unknown++
			}
		default:
			f.odd = append(f.odd, fmt.Sprintf("at %v after %v: write %v, status %d, outcome %q, Retry-After %q, %v",
				a.ended, took, a.write, a.status, a.outcome, a.retryAfter, a.err))
		}
	}
	f.readGap, f.writeGap = max(f.readGap, to-lastRead), max(f.writeGap, to-lastWrite)
	return f
}

// firstWrite is when the first write was answered with 200 after a moment; 0 if
// none was.
func (l *load) firstWrite(after time.Duration) (first time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.log {
		if a.write && a.status == 200 && a.ended > after && (first == 0 || a.ended < first) {
			first = a.ended
		}
	}
	return first
}

func (f figures) String() string {
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("%d reads (%d failed, and %d of what was being written; longest gap %v, slowest %v), %d writes (%d got 503, of these %d with the outcome unknown; longest gap %v, slowest %v)",
		f.reads, f.readsFailed, f.readsDoubted, ms(f.readGap), ms(f.slowRead), f.writes, f.writesFailed, f.unknown, ms(f.writeGap), ms(f.slowWrite))
}
