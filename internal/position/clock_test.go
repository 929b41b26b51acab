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
	c.Degrade(true)
	if c.Turns() != 1 {
		t.Errorf("turn %d", c.Turns())
	}
	c.Degrade(false)
	if c.Age() != 0 || c.Turns() != 1 {
		t.Error("it does not end")
	}
	c.Degrade(true)
	if c.Turns() != 2 {
		t.Error("it is not counted")
	}
}

// What was answered beyond S is known until S has come as far under a lease, whatever
// comes and goes meanwhile: until then it could be gone back behind.
func TestShown(t *testing.T) {
	x := stream4(100)
	c := NewClock(x, 10*time.Millisecond)
	grant := func(x *Index, s N) {
		t.Helper()
		x.Settle(s)
		c.Grant(x, BootTime()+time.Minute.Nanoseconds())
	}
	want := func(what string, n N) {
		t.Helper()
		if c.Shown() != n {
			t.Errorf("%s: %d, want %d", what, c.Shown(), n)
		}
	}
	line := x.Epoch().Timeline
	c.Show(Token{line, 120})
	c.Show(Token{line, 110})
	want("the furthest", 120)
	c.Degrade(true)
	c.Degrade(false)
	want("there was a primary for a moment", 120)
	grant(x, 119)
	want("S is not there", 120)
	grant(x, 120)
	want("S is there", 0)

	y := stream4(100)
	c.Replace(y)
	want("the next index knows no S", 120)
	grant(y, 120)
	want("it has come as far", 0)

	c.Show(Token{line, 500})
	e := y.Epoch()
	e.Timeline++
	z := NewStreamIndex(e, 300, 4)
	c.Replace(z)
	grant(z, 299)
	want("the next timeline, whose servers do not know its beginning", 500)
	grant(z, 300)
	want("what is not on it is lost", 0)
	c.Show(Token{line + 1, 310})
	c.Show(Token{line, 900})
	want("the later timeline", 310)
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
