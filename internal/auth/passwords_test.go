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

// gated is a queue with one worker that is at a job until release is called.
func gated(t *testing.T, queue int) (p *auth.Passwords, release func()) {
	t.Helper()
	started, gate := make(chan struct{}), make(chan struct{})
	p = auth.NewPasswords(auth.PasswordsConfig{Workers: 1, Queue: queue, Waited: func(time.Duration) {
		select {
		case started <- struct{}{}:
			<-gate
		case <-gate: // later jobs run freely
		}
	}})
	var first sync.WaitGroup
	first.Go(func() { p.Hash(context.Background(), "x", 4) })
	<-started
	release = sync.OnceFunc(func() { close(gate); first.Wait() })
	t.Cleanup(func() { release(); p.Close() })
	return p, release
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
	p, release := gated(t, 2)
	var wg sync.WaitGroup
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
	release()
	wg.Wait()
	got := p.Stats()
	if got.Refused != 1 || got.Done != 3 || got.Queued != 0 || got.Waited <= 0 {
		t.Errorf("stats %+v, want 3 done and 1 refused", got)
	}
}

func TestWhoeverGoesAwayIsNotServed(t *testing.T) {
	p, release := gated(t, 10)
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
	release()
	if _, err := p.Hash(t.Context(), "x", 4); err != nil { // the queue goes on behind it
		t.Error(err)
	}
	if got := p.Stats(); got.Done != 2 || got.Queued != 0 {
		t.Errorf("stats %+v, want 2 done and none waiting", got)
	}
}

func TestCloseTurnsAway(t *testing.T) {
	p, release := gated(t, 10)
	waiting, closed := make(chan error), make(chan struct{})
	go func() {
		_, err := p.Verify(t.Context(), "", "x")
		waiting <- err
	}()
	queued(t, p, 1)
	go func() {
		defer close(closed)
		p.Close()
		p.Close()
	}()
	if err := <-waiting; pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("%v, want a KindUnavailable error", err)
	}
	release()
	<-closed
	if _, err := p.Hash(t.Context(), "x", 4); pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("after Close: %v, want a KindUnavailable error", err)
	}
}
