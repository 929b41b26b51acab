package auth

import "time"

// SetClock lets tests turn the clock.
func (s *Superusers) SetClock(now func() time.Time) { s.now = now }
