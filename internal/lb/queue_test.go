package lb

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		order := make(chan string, 4)
		wait := func(name string, c class) {
			go func() {
				if q.wait(t.Context(), c, time.Minute) {
					order <- name
				}
			}()
			synctest.Wait()
		}
		wait("low", low)
		wait("first", normal)
		wait("second", normal)
		for _, want := range []string{"first", "second", "low"} {
			q.wake()
			if got := <-order; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		q.wake() // nobody waits
		if n := q.length.Load(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

func TestQueueSheds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		shed := make(chan class, 2*maxQueued)
		turns := make(chan class, 2*maxQueued)
		wait := func(c class) {
			go func() {
				if q.wait(context.Background(), c, time.Second) {
					turns <- c
				} else {
					shed <- c
				}
			}()
		}
		for range maxQueued {
			wait(low)
		}
		synctest.Wait()
		if n := len(shed); n != maxQueued/2 {
			t.Errorf("%d low ones shed, want half of %d", n, maxQueued)
		}
		for range maxQueued/2 + 10 {
			wait(normal)
		}
		synctest.Wait()
		// The last ten have taken the places of low ones.
		if n := len(shed); n != maxQueued/2+10 || int(q.length.Load()) != maxQueued {
			t.Errorf("%d shed, %d wait", n, q.length.Load())
		}
		time.Sleep(2 * time.Second) // their patience ends
		synctest.Wait()
		if n := len(shed); n != maxQueued+maxQueued/2+10 || len(turns) != 0 || q.length.Load() != 0 {
			t.Errorf("%d shed, %d had a turn, %d wait", n, len(turns), q.length.Load())
		}
	})
}

func TestQueueLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() { done <- q.wait(ctx, normal, time.Minute) }()
		synctest.Wait()
		cancel()
		if <-done || q.length.Load() != 0 {
			t.Error("who has gone still waits")
		}
	})
}

func TestBudget(t *testing.T) {
	now := time.Unix(1000, 0)
	b := budget{now: func() time.Time { return now }}
	spend := func() (n int) {
		for b.spend() {
			n++
		}
		return n
	}
	if n := spend(); n != 100 {
		t.Errorf("%d without requests, want ten a second for ten seconds", n)
	}
	for range 1000 {
		b.earn()
	}
	spared := 0
	for b.spare() {
		spared++
	}
	if spared != 50 {
		t.Errorf("%d for speed, want half of 300 less the 100 that are spent", spared)
	}
	if n := spend(); n != 150 {
		t.Errorf("%d more for 1,000 requests, want a fifth of them in all", n)
	}
	now = now.Add(9 * time.Second)
	if n := spend(); n != 0 {
		t.Errorf("%d after nine seconds", n)
	}
	now = now.Add(time.Second) // what was earned and spent is forgotten
	if n := spend(); n != 100 {
		t.Errorf("%d after ten seconds, want 100", n)
	}
}
