package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
)

func passwords(t *testing.T, c auth.PasswordsConfig) *auth.Passwords {
	t.Helper()
	p := auth.NewPasswords(c)
	t.Cleanup(func() { p.Close() })
	return p
}

func TestHashAndVerify(t *testing.T) {
	p := passwords(t, auth.PasswordsConfig{})
	hash, err := p.Hash(t.Context(), "1234567890", 4)
	if err != nil {
		t.Fatal(err)
	}
	if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost != 4 {
		t.Errorf("cost %d, %v", cost, err)
	}
	for _, tt := range []struct {
		hash, plain string
		want        bool
	}{
		{hash, "1234567890", true},
		{hash, "123456789", false},
		{hash, "", false},
		{"", "", false},
		{"", "1234567890", false},
		{"not a hash", "1234567890", false},
		{"1234567890", "1234567890", false},
	} {
		got, err := p.Verify(t.Context(), tt.hash, tt.plain)
		if err != nil || got != tt.want {
			t.Errorf("Verify(%q, %q) = %v, %v", tt.hash, tt.plain, got, err)
		}
	}
	if hash, err = p.Hash(t.Context(), "x", 0); err != nil {
		t.Fatal(err)
	}
	if cost, _ := bcrypt.Cost([]byte(hash)); cost != auth.DefaultCost {
		t.Errorf("the default cost is %d", cost)
	}
	if _, err := p.Hash(t.Context(), strings.Repeat("x", 73), 4); pando.KindOf(err) != pando.KindInvalid {
		t.Errorf("73 bytes: %v, want a KindInvalid error", err)
	}
}

// An unknown name must cost as much as a wrong password of the same collection.
func TestRejectTakesAsLongAsVerify(t *testing.T) {
	p := passwords(t, auth.PasswordsConfig{Workers: 1})
	hash, err := p.Hash(t.Context(), "1234567890", 7)
	if err != nil {
		t.Fatal(err)
	}
	best := func(f func()) time.Duration { // of a few, since the machine is shared
		least := time.Hour
		for range 5 {
			start := time.Now()
			f()
			least = min(least, time.Since(start))
		}
		return least
	}
	known := best(func() { p.Verify(t.Context(), hash, "wrong") })
	unknown := best(func() {
		if err := p.Reject(t.Context(), 7, "wrong"); err != nil {
			t.Error(err)
		}
	})
	if unknown < known/2 || unknown > known*2 {
		t.Errorf("a wrong password takes %v, an unknown name %v", known, unknown)
	}
}

// busy fills every worker and returns when they are at work.
func busy(t *testing.T, p *auth.Passwords, started <-chan time.Duration, n int) (wait func()) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { p.Hash(context.Background(), "x", 10) })
	}
	for range n {
		<-started
	}
	return wg.Wait
}

// queued waits until n jobs wait.
func queued(t *testing.T, p *auth.Passwords, n int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.Stats().Queued < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d jobs are waiting, want %d", p.Stats().Queued, n)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	started := make(chan time.Duration, 100)
	p := passwords(t, auth.PasswordsConfig{Workers: 1, Queue: 2, Waited: func(d time.Duration) { started <- d }})
	defer busy(t, p, started, 1)()

	var wg sync.WaitGroup
	defer wg.Wait()
	for range 2 {
		wg.Go(func() {
			if _, err := p.Hash(t.Context(), "x", 4); err != nil {
				t.Error(err)
			}
		})
	}
	queued(t, p, 2)
	_, err := p.Hash(t.Context(), "x", 4)
	if pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("the fourth: %v, want a KindUnavailable error", err)
	}
	if got := p.Stats().Refused; got != 1 {
		t.Errorf("%d refused, want 1", got)
	}
}

func TestWhoeverGoesAwayIsNotServed(t *testing.T) {
	started := make(chan time.Duration, 100)
	p := passwords(t, auth.PasswordsConfig{Workers: 1, Waited: func(d time.Duration) { started <- d }})
	wait := busy(t, p, started, 1)

	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := p.Verify(ctx, "", "x")
		gone <- err
	}()
	queued(t, p, 1)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	wait()
	if _, err := p.Hash(t.Context(), "x", 4); err != nil { // the queue goes on behind it
		t.Error(err)
	}
	if got := p.Stats(); got.Done != 2 || got.Queued != 0 {
		t.Errorf("stats %+v, want 2 done and none waiting", got)
	}
}

func TestCloseTurnsAway(t *testing.T) {
	started := make(chan time.Duration, 100)
	p := auth.NewPasswords(auth.PasswordsConfig{Workers: 1, Waited: func(d time.Duration) { started <- d }})
	wait := busy(t, p, started, 1)
	waiting := make(chan error)
	go func() {
		_, err := p.Verify(t.Context(), "", "x")
		waiting <- err
	}()
	queued(t, p, 1)
	p.Close()
	p.Close()
	if err := <-waiting; pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("%v, want a KindUnavailable error", err)
	}
	if _, err := p.Hash(t.Context(), "x", 4); pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("after Close: %v, want a KindUnavailable error", err)
	}
	wait()
}
