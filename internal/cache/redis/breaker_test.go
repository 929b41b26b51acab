package redis

import (
	"sync/atomic"
	"testing"
	"time"
)

const ms = time.Millisecond

// TestBreaker follows a server through its states.
func TestBreaker(t *testing.T) {
	var cost atomic.Int64
	b := newBreaker(50*ms, &cost)
	is := func(want state) {
		t.Helper()
		if got, why, _ := b.now(); got != want {
			t.Fatalf("it is %v (%s), want %v", got, why, want)
		}
	}
	ask := func(o outcome, took time.Duration) {
		t.Helper()
		if !b.enter() {
			t.Fatal("it is not asked")
		}
		b.leave(o, took)
	}
	if is(out); b.enter() {
		t.Fatal("a server that was not connected to is asked")
	}
	b.letIn(ms)
	if is(trial); !b.enter() || b.enter() {
		t.Fatal("on trial one request at a time, and no second")
	}
	b.leave(answered, ms)
	for range trialAsks - 1 {
		is(trial)
		ask(answered, ms)
	}
	is(up)
	if !b.enter() || !b.enter() {
		t.Fatal("up, it is asked by many")
	}
	b.leave(answered, ms)
	b.leave(answered, ms)

	for range maxLate - 1 {
		ask(late, 0)
	}
	ask(answered, ms) // not in a row
	for range maxLate - 1 {
		ask(late, 0)
	}
	is(up)
	ask(given, 0) // says nothing
	_, _, gone := b.now()
	ask(late, 0)
	is(out)
	<-gone
	if !b.alarmed() {
		t.Error("late answers may be this process's fault")
	}
	b.letBack(ms)
	is(up)
	ask(broken, 0)
	is(out)
	if b.alarmed() || b.enter() {
		t.Error("a lost connection is nobody else's fault")
	}
	b.letIn(ms)
	ask(late, 0)
	is(out) // on trial once is enough
}

// TestSlowIsRelative: what is too slow beside a fast database is welcome beside a
// slow one.
func TestSlowIsRelative(t *testing.T) {
	for _, tt := range []struct {
		database, server time.Duration
		want             state
	}{{ms / 2, 3 * ms, up}, {ms / 2, 8 * ms, out}, {20 * ms, 8 * ms, up}, {20 * ms, 45 * ms, out}, {time.Hour, 45 * ms, up}} {
		var cost atomic.Int64
		cost.Store(int64(tt.database))
		b := newBreaker(50*ms, &cost)
		b.letBack(tt.server)
		for range slowSamples {
			if b.enter() {
				b.leave(answered, tt.server)
			}
		}
		if got, _, _ := b.now(); got != tt.want {
			t.Errorf("a server of %v beside a database of %v is %v, want %v", tt.server, tt.database, got, tt.want)
		}
		if p := b.patience(); p < minWait || p > 50*ms {
			t.Errorf("a request waits %v", p)
		}
	}
}
