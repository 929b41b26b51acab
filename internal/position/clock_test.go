package position

import (
	"testing"
	"testing/synctest"
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

// What stays needs a lease, also where reads go on without one, and waits for it for a
// time of its own.
func TestNeedsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := stream4(100)
		c := NewClock(x, time.Second)
		c.Grant(x, BootTime()-1)
		c.Degrade(true)
		if _, err := c.Ready(t.Context()); err != nil || NeedsLease(t.Context()) {
			t.Fatalf("a read: %v", err)
		}
		ctx, began := WithLease(t.Context(), 5*time.Second), time.Now()
		if _, err := c.Ready(ctx); pando.KindOf(err) != pando.KindUnavailable || time.Since(began) != 5*time.Second {
			t.Errorf("a change, without a lease: %v after %v", err, time.Since(began))
		}
		got := make(chan error, 1)
		go func() {
			_, err := c.Ready(ctx)
			got <- err
		}()
		time.Sleep(4 * time.Second)
		c.Degrade(false)
		synctest.Wait()
		select {
		case err := <-got:
			t.Errorf("it did not wait for the lease: %v", err)
		default:
		}
		c.Grant(x, BootTime()+time.Minute.Nanoseconds())
		if err := <-got; err != nil {
			t.Errorf("with a lease: %v", err)
		}
	})
}
