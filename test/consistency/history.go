package consistency

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// chain collects snapshots of all records. Those of one history can be put in an
// order in which no record ever goes back.
type chain struct {
	mu     sync.Mutex
	states map[[counters]int64]bool
}

func (c *chain) add(state [counters]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states == nil {
		c.states = map[[counters]int64]bool{}
	}
	c.states[state] = true
}

// check finds two snapshots that contradict each other; nil if there are none.
func (c *chain) check() [][counters]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	states := make([][counters]int64, 0, len(c.states))
	for s := range c.states {
		states = append(states, s)
	}
	sum := func(s [counters]int64) (n int64) {
		for _, v := range s {
			n += v
		}
		return n
	}
	slices.SortFunc(states, func(a, b [counters]int64) int { return int(sum(a) - sum(b)) })
	for k := 1; k < len(states); k++ {
		for i := range counters {
			if states[k][i] < states[k-1][i] {
				return states[k-1 : k+1]
			}
		}
	}
	return nil
}

// sample has Porcupine judge the reads and writes of all records. Its search takes more than
// linear time, so it is given windows of them, one after the other: what began within one.
type sample struct {
	start time.Time
	limit time.Duration // for each window

	mu      sync.Mutex
	windows [counters]window
	full    chan window
	skipped int // windows that came while enough of them waited

	verdicts map[porcupine.CheckResult]int
	ops      int
	illegal  []string
}

// window is a part of the history of one record.
type window struct {
	record int
	began  int64
	ops    []porcupine.Operation
}

const (
	windowOps  = 1000
	windowWait = 2 * counters // windows that wait
)

func newSample() *sample {
	return &sample{start: time.Now(), limit: 10 * time.Second, full: make(chan window, windowWait), verdicts: map[porcupine.CheckResult]int{}}
}

func (s *sample) now() int64 { return int64(time.Since(s.start)) }

// access is a read (write is false) or a write of a value.
type access struct {
	write bool
	value int64
}

func (s *sample) wrote(record int, begun, v int64) { s.add(record, begun, access{true, v}) }
func (s *sample) read(record int, begun, v int64)  { s.add(record, begun, access{false, v}) }

func (s *sample) add(record int, begun int64, a access) {
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
		s.skipped++
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

// judge judges windows until end.
func (s *sample) judge() {
	for w := range s.full {
		history := whole(w.ops)
		s.ops += len(history)
		verdict := porcupine.CheckOperationsTimeout(part, history, s.limit)
		s.verdicts[verdict]++
		if verdict == porcupine.Illegal {
			s.illegal = append(s.illegal, fmt.Sprintf("the history of %s is not linearizable from %v on", counterID(w.record), time.Duration(w.began)))
		}
	}
}

// end has the windows judged that have begun, too. Nothing is added any more.
func (s *sample) end() {
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
