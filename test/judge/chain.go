package judge

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
)

// Chain collects snapshots of the same records. Those of one history can be put in an
// order in which no record ever goes back. All methods may be called at once.
type Chain struct {
	mu     sync.Mutex
	states map[string][]int64
}

// Add adds the values of all records, in the same order each time.
func (c *Chain) Add(state []int64) {
	var key []byte
	for _, v := range state {
		key = binary.AppendVarint(key, v)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states == nil {
		c.states = map[string][]int64{}
	}
	if _, ok := c.states[string(key)]; !ok {
		c.states[string(key)] = slices.Clone(state)
	}
}

// States are all of them, each once.
func (c *Chain) States() [][]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.states))
}

// Check finds two snapshots that contradict each other; nil if there are none.
func (c *Chain) Check() [][]int64 {
	states := c.States()
	sum := func(s []int64) (n int64) {
		for _, v := range s {
			n += v
		}
		return n
	}
	slices.SortFunc(states, func(a, b []int64) int { return int(sum(a) - sum(b)) })
	for k := 1; k < len(states); k++ {
		for i, v := range states[k] {
			if v < states[k-1][i] {
				return states[k-1 : k+1]
			}
		}
	}
	return nil
}
