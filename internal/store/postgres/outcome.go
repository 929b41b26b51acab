package postgres

import "fmt"

// resolve looks into a commit whose answer was lost.
func (t *tx) resolve(f *flight, err error, committed bool) result {
	t.s.commits.crash(f)
	t.release()
	return result{err: unknownOutcome(fmt.Errorf("commit: %w", err))}
}

func (s *Store) holdsLease() error { return nil }
