package overload

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		order := make(chan string, 4)
		wait := func(name string, c Class) {
			go func() {
				if q.Wait(t.Context(), c, time.Minute) {
					order <- name
				}
			}()
			synctest.Wait()
		}
		wait("low", Low)
		wait("first", Normal)
		wait("second", Normal)
		for _, want := range []string{"first", "second", "low"} {
			q.Wake()
			if got := <-order; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		q.Wake() // nobody waits
		if n := q.length.Load(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

func TestQueueSheds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		shed := make(chan Class, 2*MaxQueued)
		turns := make(chan Class, 2*MaxQueued)
		wait := func(c Class) {
			go func() {
				if q.Wait(context.Background(), c, time.Second) {
					turns <- c
				} else {
					shed <- c
				}
			}()
		}
		for range MaxQueued {
			wait(Low)
		}
		synctest.Wait()
		if n := len(shed); n != MaxQueued/2 {
			t.Errorf("%d low ones shed, want half of %d", n, MaxQueued)
		}
		for range MaxQueued/2 + 10 {
			wait(Normal)
		}
		synctest.Wait()
		// The last ten have taken the places of low ones.
		if n := len(shed); n != MaxQueued/2+10 || int(q.length.Load()) != MaxQueued {
			t.Errorf("%d shed, %d wait", n, q.length.Load())
		}
		time.Sleep(2 * time.Second) // their patience ends
		synctest.Wait()
		if n := len(shed); n != MaxQueued+MaxQueued/2+10 || len(turns) != 0 || q.length.Load() != 0 {
			t.Errorf("%d shed, %d had a turn, %d wait", n, len(turns), q.length.Load())
		}
	})
}

func TestQueueLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() { done <- q.Wait(ctx, Normal, time.Minute) }()
		synctest.Wait()
		cancel()
		if <-done || q.length.Load() != 0 {
			t.Error("who has gone still waits")
		}
	})
}
