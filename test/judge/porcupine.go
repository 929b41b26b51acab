package judge

import (
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Sample has Porcupine judge the reads and writes of some records. Its search takes more
// than linear time, so it is given windows of them, one after the other: what began within
// one.
type Sample struct {
	now   func() int64
	limit time.Duration // for each window

	mu      sync.Mutex
	windows []window
	full    chan window

	Opinion // once Judge has returned
}

// Opinion is what came of it.
type Opinion struct {
	Verdicts map[porcupine.CheckResult]int // of windows
	Ops      int                           // that were judged
	Skipped  int                           // windows that came while enough of them waited
	Illegal  []Illegal
}

// Illegal is a window that is not linearizable.
type Illegal struct {
	Record int
	From   int64 // when it began
}

// window is a part of the history of one record.
type window struct {
	record int
	began  int64
	ops    []porcupine.Operation
}

const windowOps = 1000

// NewSample is one of so many records, by a clock that does not go back.
func NewSample(records int, now func() int64) *Sample {
	return &Sample{
		now: now, limit: 10 * time.Second, windows: make([]window, records), full: make(chan window, 2*records),
		Opinion: Opinion{Verdicts: map[porcupine.CheckResult]int{}},
	}
}

// Now is what operations begin at.
func (s *Sample) Now() int64 { return s.now() }

// access is a read (write is false) or a write of a value.
type access struct {
	write bool
	value int64
}

// Wrote adds a write that has been answered now.
func (s *Sample) Wrote(record int, begun, v int64) { s.add(record, begun, access{true, v}) }

// Read adds a read that has been answered now.
func (s *Sample) Read(record int, begun, v int64) { s.add(record, begun, access{false, v}) }

func (s *Sample) add(record int, begun int64, a access) {
	end := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.windows[record]
	if begun < w.began {
		return
	}
	w.record = record
	w.ops = append(w.ops, porcupine.Operation{
		ClientId: len(w.ops), // every operation is its own client: that orders nothing by itself
		Input:    a, Output: a.value, Call: begun, Return: end,
	})
	if len(w.ops) < windowOps {
		return
	}
	select {
	case s.full <- *w:
	default:
		s.Skipped++
	}
	*w = window{began: s.now()}
}

// part is a register of which nobody knows what it held at first, nor what was written by
// whose write began before or ended behind: reads of that are not in it, see whole.
var part = porcupine.Model{
	Init: func() any { return int64(-1) },
	Step: func(state, input, output any) (bool, any) {
		a := input.(access)
		if a.write {
			return true, a.value
		}
		return output.(int64) == state.(int64), state
	},
}

// Judge judges windows until End.
func (s *Sample) Judge() {
	for w := range s.full {
		history := whole(w.ops)
		s.Ops += len(history)
		verdict := porcupine.CheckOperationsTimeout(part, history, s.limit)
		s.Verdicts[verdict]++
		if verdict == porcupine.Illegal {
			s.Illegal = append(s.Illegal, Illegal{w.record, w.began})
		}
	}
}

// End has the windows judged that have begun, too. Nothing is added any more.
func (s *Sample) End() {
	for _, w := range s.windows {
		s.full <- w
	}
	close(s.full)
}

// whole leaves out reads of values whose write is not in the history: it began before,
// or had not been answered when the window was full. Such a write, with all its reads, can
// be taken out of any order that the rest has.
func whole(history []porcupine.Operation) []porcupine.Operation {
	written := map[int64]bool{}
	for _, op := range history {
		if a := op.Input.(access); a.write {
			written[a.value] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(history), func(op porcupine.Operation) bool {
		return !written[op.Input.(access).value]
	})
}
