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
	want := func(what string, timeline uint32, n N) {
		t.Helper()
		if got := c.Shown(c.Index()); got.Token != (Token{timeline, n}) && (n > 0 || got.N > 0) {
			t.Errorf("%s: %v, want %d of timeline %d", what, got, n, timeline)
		}
	}
	line := x.Epoch().Timeline
	c.Show(x, Token{line, 0})
	want("nothing", 0, 0)
	c.Show(x, Token{line, 120})
	c.Show(x, Token{line, 110})
	want("the furthest", line, 120)
	c.Degrade(true)
	c.Degrade(false)
	want("there was a primary for a moment", line, 120)
	grant(x, 119)
	want("S is not there", line, 120)
	grant(x, 120)
	want("S is there", 0, 0)
	c.Show(x, Token{line, 115})
	want("S was there", 0, 0)

	y := stream4(100)
	c.Replace(y)
	want("the next index knows no S", line, 120)
	if got := c.Shown(x); got.N != 0 {
		t.Errorf("by the one before, which knows one: %v", got)
	}
	grant(y, 120)
	want("it has come as far", 0, 0)

	c.Show(y, Token{line, 500})
	next := func(line uint32, instance uint64) *Index {
		e := y.Epoch()
		e.Timeline = line
		z := NewStreamIndex(e, 300, 4)
		z.SetInstance(instance)
		c.Replace(z)
		return z
	}
	y.Settle(130)
	c.Grant(y, BootTime()+time.Minute.Nanoseconds())
	z := next(line, y.Instance()+1)
	want("a copy of the database, before there is a lease", line, 500)
	grant(z, 310)
	want("what is not in it is lost", 0, 0)

	c.Show(z, Token{line, 600})
	z = next(line+1, 7)
	want("the next timeline, before there is a lease", line, 600)
	c.Show(z, Token{line + 1, 580})
	want("a replica that follows it is not as far as another was", line+1, 600)
	grant(z, 590)
	want("nor is S", line+1, 600)
	grant(z, 600)
	want("and then it is", 0, 0)
	c.Show(y, Token{line, 900})
	want("a read by an index of before, of what is lost", 0, 0)

	c.Show(z, Token{line + 2, 620})
	grant(z, 610)
	want("a primary of a timeline that nobody follows yet", line+2, 620)
	z = next(line+2, 8)
	grant(z, 610)
	want("its index does not say that it was there before", line+2, 620)
	grant(z, 620)
	want("it does", 0, 0)
}

// What is known to be of some tags binds only who asks for these.
func TestShownOf(t *testing.T) {
	x := stream4(100)
	c := NewClock(x, time.Second)
	line := x.Epoch().Timeline
	a, b := []Tag{1}, []Tag{2}
	c.ShowOf(x, Token{line, 120}, a, false)
	if s := c.Shown(x); s.N != 120 || s.Blind != 0 || x.Covers(a) != 120 || x.Covers(b) >= 120 {
		t.Errorf("%+v, covers %d and %d", s, x.Covers(a), x.Covers(b))
	}
	c.Show(x, Token{line, 110})
	if s := c.Shown(x); s.N != 120 || s.Blind != 110 {
		t.Errorf("and a read of whatever: %+v", s)
	}
	c.ShowOf(x, Token{line, 130}, nil, true)
	if s := c.Shown(x); s.N != 130 || s.Blind != 110 || x.Covers(b) != 130 {
		t.Errorf("a write of more than can be named: %+v, covers %d", s, x.Covers(b))
	}
	if c.Shown(x).Ahead != 0 {
		t.Error("no replica has shown anything")
	}
	c.ShowAhead(x, Token{line, 105})
	if s := c.Shown(x); s.N != 130 || s.Blind != 110 || s.Ahead != line {
		t.Errorf("and what a replica has shown: %+v", s)
	}
	c.ShowOf(x, Token{line + 1, 140}, a, false)
	if s := c.Shown(x); s.N != 140 || s.Blind != 140 || x.Covers(a) != 130 {
		t.Errorf("on a timeline that the index is not of: %+v, covers %d", s, x.Covers(a))
	}
	if s := c.Shown(x); s.Timeline != line+1 || s.Ahead != line {
		t.Errorf("of the new timeline no replica has shown anything: %+v", s)
	}
	c.ShowAhead(x, Token{line + 1, 140})
	if s := c.Shown(x); s.Ahead != line+1 {
		t.Errorf("now one has: %+v", s)
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
