package consistency

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/test/judge"
)

// report counts what was done and found in one run.
type report struct {
	writes, reads, events, revocations, outside atomic.Int64
	refused, marked                             atomic.Int64 // requests not answered, and answered with an Age
	again                                       atomic.Int64 // of the reads, those of the same record in a row

	log func(format string, args ...any) // told of violations at once; may be nil

	mu         sync.Mutex
	violations []string
	count      int
	failures   []string
	stop       context.CancelFunc // ends the run at the first violation; may be nil
	begun      time.Time
	found      time.Duration // until the first violation
	took       time.Duration

	second judge.Opinion // Porcupine's
}

const maxKept = 10

// violation is an answer that must not have been given.
func (r *report) violation(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count++; r.count == 1 {
		r.found = time.Since(r.begun)
	}
	if len(r.violations) < maxKept {
		text := fmt.Sprintf("after %v: ", time.Since(r.begun).Round(time.Millisecond)) + fmt.Sprintf(format, args...)
		r.violations = append(r.violations, text)
		if r.log != nil {
			r.log("violation %s", text)
		}
	}
	if r.stop != nil {
		r.stop()
	}
}

// failure is something that went wrong with the run itself, so that its counts
// mean nothing.
func (r *report) failure(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // the end of the run cut it short
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) < maxKept {
		r.failures = append(r.failures, err.Error())
	}
}

func (r *report) String() string {
	return fmt.Sprintf("%d operations in %v (%d reads, %d of them of one record in a row, %d writes, %d revocations; %d events, %d writes by another program; %d not answered, %d marked): %d violations",
		r.operations(), r.took.Round(time.Millisecond), r.reads.Load(), r.again.Load(), r.writes.Load(), r.revocations.Load(), r.events.Load(), r.outside.Load(), r.refused.Load(), r.marked.Load(), r.count)
}

// lacks says of what there was less than there must be for the run to mean something.
func (r *report) lacks(least map[string]int64) (list []string) {
	for what, n := range map[string]int64{
		"operations": r.operations(), "reads": r.reads.Load(), "writes": r.writes.Load(), "events": r.events.Load(),
		"revocations": r.revocations.Load(), "writes by another program": r.outside.Load(),
	} {
		if n < least[what] {
			list = append(list, fmt.Sprintf("only %d %s", n, what))
		}
	}
	return list
}

// operations is how many answers have been checked.
func (r *report) operations() int64 { return r.reads.Load() + r.writes.Load() + r.revocations.Load() }
