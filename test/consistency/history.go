package consistency

import (
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

// sample keeps the reads and writes of some records for Porcupine, whose search
// takes more than linear time.
type sample struct {
	mu     sync.Mutex
	start  time.Time
	client int
	ops    [sampled][]porcupine.Operation
}

const (
	sampled    = 3    // records
	sampledOps = 4000 // of each
)

func newSample() *sample { return &sample{start: time.Now()} }

func (s *sample) now() int64 { return int64(time.Since(s.start)) }

// access is a read (write is false) or a write of a value.
type access struct {
	write bool
	value int64
}

func (s *sample) wrote(record int, begun, v int64) { s.add(record, begun, access{true, v}) }
func (s *sample) read(record int, begun, v int64)  { s.add(record, begun, access{false, v}) }

func (s *sample) add(record int, begun int64, a access) {
	if record >= sampled {
		return
	}
	end := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ops[record]) >= sampledOps {
		return
	}
	s.client++ // every operation is its own client: that orders nothing by itself
	s.ops[record] = append(s.ops[record], porcupine.Operation{
		ClientId: s.client, Input: a, Output: a.value, Call: begun, Return: end,
	})
}

// oneRegister is a register that begins at 0.
var oneRegister = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		a := input.(access)
		if a.write {
			return true, a.value
		}
		return output.(int64) == state.(int64), state
	},
}

// verdicts is what Porcupine finds, in at most limit for each record. A history
// that was cut off is made whole first: a value that was read needs its write.
func (s *sample) verdicts(limit time.Duration) (list []porcupine.CheckResult, ops int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, history := range s.ops {
		history = whole(history)
		ops += len(history)
		list = append(list, porcupine.CheckOperationsTimeout(oneRegister, history, limit))
	}
	return list, ops
}

// whole leaves out reads of values whose write is not in the history: it had not
// been answered when the run, or the sample, ended.
func whole(history []porcupine.Operation) []porcupine.Operation {
	written := map[int64]bool{0: true}
	for _, op := range history {
		if a := op.Input.(access); a.write {
			written[a.value] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(history), func(op porcupine.Operation) bool {
		return !written[op.Input.(access).value]
	})
}
