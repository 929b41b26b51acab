package records

import (
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

// A write whose notes others may soon take for abandoned is not committed.
func TestInTime(t *testing.T) {
	now := time.Now().Round(0)
	for noted, want := range map[time.Time]bool{
		{}:  true, // no files
		now: true,
		now.Add(-blob.DecideWithin + time.Minute): true,
		now.Add(-blob.DecideWithin):               false,
		now.Add(-blob.Stale):                      false,
	} {
		err := (&writing{notedAt: noted}).inTime()
		if (err == nil) != want || err != nil && pando.KindOf(err) != pando.KindUnavailable {
			t.Errorf("noted %s ago: %v", now.Sub(noted), err)
		}
	}
}
