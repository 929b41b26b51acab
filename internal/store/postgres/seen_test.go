package postgres

import (
	"fmt"
	"testing"

	"github.com/pandobase/pando/internal/position"
)

// TestSeen: what a node must show to a client that keeps positions, beyond what it must
// show to anybody: with a lease everybody is shown all that is known, without one what
// was answered.
func TestSeen(t *testing.T) {
	x := position.NewStreamIndex(position.Epoch{Timeline: 1}, 10, 64)
	x.Advance(100)
	x.Settle(50)
	for _, c := range []struct {
		token    position.Token
		degraded bool
		least    position.N
		later    uint32
	}{
		{position.Token{Timeline: 1, N: 40}, false, 0, 0},
		{position.Token{Timeline: 1, N: 40}, true, 0, 0},
		{position.Token{Timeline: 1, N: 80}, false, 0, 0},
		{position.Token{Timeline: 1, N: 80}, true, 80, 0},
		{position.Token{Timeline: 1, N: 120}, false, 120, 0},
		{position.Token{Timeline: 1, N: 120}, true, 120, 0},
		{position.Token{Timeline: 2, N: 30}, true, 30, 2},
		{position.Token{Timeline: 1, N: 101}, true, 101, 0},
		{position.Token{}, true, 0, 0},
	} {
		t.Run(fmt.Sprint(c.token, c.degraded), func(t *testing.T) {
			r := &snapshot{stream: streamRead{x: x, front: x.Frontier()}}
			if c.degraded {
				r.stream.withoutLease(position.Shown{})
			}
			r.stream.seen(position.WithSession(t.Context(), position.NewSession(c.token)))
			if r.stream.least != c.least || r.stream.later != c.later {
				t.Errorf("%d of timeline %d, want %d of %d", r.stream.least, r.stream.later, c.least, c.later)
			}
			if need := r.stampedNeed(nil); need < c.least {
				t.Errorf("a node at %d would do", need)
			}
		})
	}
}

// TestNeedWithoutALease: what was answered a node must show, and what is only known may be
// lost with the primary.
func TestNeedWithoutALease(t *testing.T) {
	tag := position.RecordTag("notes", "a")
	for _, c := range []struct {
		what                     string
		safe, shown, blind, need position.N
	}{
		{"its last change was answered", 90, 0, 0, 90},
		{"it was not", 50, 0, 0, 50},
		{"this server answered so far beyond S", 50, 95, 95, 90},
		{"not so far", 50, 70, 70, 70},
		{"and beyond what it knows, of whatever", 50, 120, 120, 120},
		{"of what is known", 50, 120, 0, 90},
	} {
		x := position.NewStreamIndex(position.Epoch{Timeline: 1}, 10, 64)
		x.Apply(90, 7, []position.Tag{tag}, false)
		x.Advance(100)
		x.Settle(c.safe)
		r := &snapshot{stream: streamRead{x: x, front: x.Frontier()}}
		r.stream.withoutLease(position.Shown{Token: position.Token{Timeline: 1, N: c.shown}, Blind: c.blind})
		if need := r.stampedNeed([]position.Tag{tag}); need != c.need {
			t.Errorf("%s: a node at %d, want %d", c.what, need, c.need)
		}
	}
	x := position.NewStreamIndex(position.Epoch{Timeline: 1}, 10, 64)
	x.Advance(100)
	// With a lease again, and before F has come so far.
	leased := &snapshot{stream: streamRead{x: x, front: 100}}
	leased.stream.beyond(position.Token{Timeline: 1, N: 120})
	if need := leased.stampedNeed([]position.Tag{tag}); need != 120 {
		t.Errorf("this server answered up to 120 without a lease: a node at %d", need)
	}
	r := &snapshot{stream: streamRead{x: x, front: 100}}
	r.stream.withoutLease(position.Shown{Token: position.Token{Timeline: 2, N: 70}, Blind: 70})
	if r.stream.later != 2 || r.stampedNeed(nil) != 70 {
		t.Errorf("it answered from a primary of the next timeline: a node at %d of timeline %d", r.stampedNeed(nil), r.stream.later)
	}
}

// TestFronts: a read goes by what was known when it began, and by more only behind a try
// without a lease.
func TestFronts(t *testing.T) {
	x := position.NewStreamIndex(position.Epoch{Timeline: 1}, 10, 64)
	var f fronts
	for i, c := range []struct {
		now      position.N
		degraded bool
		want     position.N
	}{{100, false, 100}, {110, false, 100}, {120, true, 120}, {130, true, 130}, {140, false, 140}, {150, false, 140}} {
		x.Advance(c.now)
		if got := f.of(x, c.degraded); got != c.want {
			t.Errorf("try %d: %d, want %d", i+1, got, c.want)
		}
	}
}
