package postgres

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// served counts the reads that a host has answered, over all its lives.
type served struct{ primary, replica atomic.Uint64 }

// add counts one.
func (s *served) add(replica bool) {
	if replica {
		s.replica.Add(1)
	} else {
		s.primary.Add(1)
	}
}

// Served is how many reads a host has answered, as the primary and as a replica.
type Served struct {
	Host             string
	Primary, Replica uint64
}

// Served says who has answered reads since the store was opened. What was asked
// of one host and answered by another counts for that one.
func (s *Store) Served() []Served {
	k := s.nodes
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]Served, 0, len(k.counts))
	for host, n := range k.counts {
		list = append(list, Served{host, n.primary.Load(), n.replica.Load()})
	}
	slices.SortFunc(list, func(a, b Served) int { return cmp.Compare(a.Host, b.Host) })
	return list
}

// servedBy is the count of a host; k is locked.
func (k *nodes) servedBy(host string) *served {
	n := k.counts[host]
	if n == nil {
		n = new(served)
		k.counts[host] = n
	}
	return n
}
