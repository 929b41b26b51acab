package sqlite

import "sync/atomic"

// Stats counts since the store was opened.
type Stats struct {
	Reads   uint64 // snapshots opened, each for one or more queries
	Writes  uint64 // transactions kept
	Commits uint64 // groups of writes that reached the disk together
}

// statistics are the running counts.
type statistics struct{ reads, writes, commits atomic.Uint64 }

// Stats counts now.
func (s *Store) Stats() Stats {
	return Stats{s.stats.reads.Load(), s.stats.writes.Load(), s.stats.commits.Load()}
}
