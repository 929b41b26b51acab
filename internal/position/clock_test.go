package position

import (
	"testing"
	"time"

	"github.com/pandobase/pando"
)

// Reads go on without a primary, but not by an index that never had a lease, and as
// long as there is a lease nothing is different.
func TestDegraded(t *testing.T) {
	x := stream4(100)
	c := NewClock(x, 10*time.Millisecond)
	c.Degrade(true)
	if _, err := c.Ready(t.Context()); pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("an index that never had a lease: %v", err)
	}
	c.Grant(x, BootTime()+time.Minute.Nanoseconds())
	if c.Degraded(x) {
		t.Error("there is a lease")
	}
	y := stream4(100)
	c.Grant(y, BootTime()-1)
	c.Replace(y)
	if got, err := c.Ready(t.Context()); err != nil || got != y || !c.Degraded(y) || c.Age() <= 0 {
		t.Errorf("without a lease any more: %v, age %v", err, c.Age())
	}
	c.Show(120)
	c.Show(110)
	if c.Shown() != 120 || c.Turns() != 1 {
		t.Errorf("shown up to %d in turn %d", c.Shown(), c.Turns())
	}
	c.Degrade(true)
	c.Degrade(false)
	if c.Shown() != 0 || c.Age() != 0 || c.Turns() != 1 {
		t.Error("it does not end")
	}
	c.Degrade(true)
	if c.Turns() != 2 {
		t.Error("it is not counted")
	}
}
