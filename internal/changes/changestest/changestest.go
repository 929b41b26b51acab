// Package changestest is the executable form of the contract of
// internal/changes. Each adapter runs it against itself.
package changestest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// Bus is both ends of a stream.
type Bus interface {
	changes.Sink
	changes.Stream
}

// Run holds a stream to the contract. fresh makes a new one and closes it when
// the test ends.
func Run(t *testing.T, fresh func(t *testing.T) Bus) {
	t.Run("Order", func(t *testing.T) { order(t, fresh(t)) })
	t.Run("OnlyFromNowOn", func(t *testing.T) { onlyFromNowOn(t, fresh(t)) })
	t.Run("PublishDoesNotBlock", func(t *testing.T) { publishDoesNotBlock(t, fresh(t)) })
	t.Run("StopWaits", func(t *testing.T) { stopWaits(t, fresh(t)) })
	t.Run("SubscribeInside", func(t *testing.T) { subscribeInside(t, fresh(t)) })
	t.Run("ComeAndGo", func(t *testing.T) { comeAndGo(t, fresh(t)) })
}

// order: everybody gets each batch once, in order, whole.
func order(t *testing.T, bus Bus) {
	const n = 1000
	var followers []*recorder
	for range 3 {
		r := newRecorder(n)
		defer bus.Subscribe(r.add)()
		followers = append(followers, r)
	}
	var want []position.N
	for i := range n {
		p := position.N(i + 1)
		want = append(want, p)
		bus.Publish(changes.Batch{Position: p, Changes: make([]changes.Change, i%3), Catalog: i%7 == 0})
	}
	for _, r := range followers {
		r.wait(t)
		if diff := cmp.Diff(want, r.got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// onlyFromNowOn: what was published before does not reach a new follower, even
// if it still waits to be delivered.
func onlyFromNowOn(t *testing.T, bus Bus) {
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	defer bus.Subscribe(func(changes.Batch) {
		once.Do(func() { close(held) })
		<-release
	})()
	bus.Publish(changes.Batch{Position: 1})
	await(t, held, "the first delivery")
	bus.Publish(changes.Batch{Position: 2}) // waits behind the held one
	late := newRecorder(1)
	defer bus.Subscribe(late.add)()
	bus.Publish(changes.Batch{Position: 3})
	close(release)
	late.wait(t)
	if diff := cmp.Diff([]position.N{3}, late.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func publishDoesNotBlock(t *testing.T, bus Bus) {
	release := make(chan struct{})
	r := newRecorder(5000)
	defer bus.Subscribe(func(b changes.Batch) { <-release; r.add(b) })()
	published := make(chan struct{})
	go func() {
		defer close(published)
		for i := range 5000 {
			bus.Publish(changes.Batch{Position: position.N(i + 1)})
		}
	}()
	await(t, published, "Publish while a follower hangs")
	close(release)
	r.wait(t)
}

// stopWaits: after stop has returned, f is neither running nor called again.
func stopWaits(t *testing.T, bus Bus) {
	running, release, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	calls := 0 // guarded by the promise that is tested
	stop := bus.Subscribe(func(changes.Batch) {
		calls++
		close(running)
		<-release
	})
	bus.Publish(changes.Batch{Position: 1})
	await(t, running, "delivery")
	bus.Publish(changes.Batch{Position: 2})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
		t.Fatal("stop returned while f was running")
	case <-time.After(20 * time.Millisecond): // it can only get more wrong later
	}
	close(release)
	await(t, stopped, "stop")
	if calls != 1 {
		t.Errorf("f was called %d times", calls)
	}
	stop() // a second time does nothing
	flush(t, bus, 3)
	if calls != 1 {
		t.Errorf("f was called %d times after stop", calls)
	}
}

func subscribeInside(t *testing.T, bus Bus) {
	inner := newRecorder(1)
	stops := make(chan func(), 1)
	var once sync.Once
	defer bus.Subscribe(func(changes.Batch) {
		once.Do(func() { stops <- bus.Subscribe(inner.add) })
	})()
	bus.Publish(changes.Batch{Position: 1})
	stop := await(t, stops, "the inner Subscribe")
	defer stop()
	bus.Publish(changes.Batch{Position: 2})
	inner.wait(t)
	if diff := cmp.Diff([]position.N{2}, inner.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// comeAndGo: whatever others do, each follower sees its part without a gap.
func comeAndGo(t *testing.T, bus Bus) {
	var wg sync.WaitGroup
	end := make(chan struct{})
	wg.Go(func() {
		defer close(end)
		for i := range 3000 {
			bus.Publish(changes.Batch{Position: position.N(i + 1)})
		}
	})
	for range 4 {
		wg.Go(func() {
			for {
				var got []position.N
				first := make(chan struct{})
				stop := bus.Subscribe(func(b changes.Batch) {
					if got = append(got, b.Position); len(got) == 1 {
						close(first)
					}
				})
				select {
				case <-first:
				case <-end:
				}
				stop()
				for i := 1; i < len(got); i++ {
					if got[i] != got[i-1]+1 {
						t.Errorf("%d after %d", got[i], got[i-1])
					}
				}
				select {
				case <-end:
					return
				default:
				}
			}
		})
	}
	wg.Wait()
	flush(t, bus, 3001)
}

// flush waits until everything published so far is delivered.
func flush(t *testing.T, bus Bus, n position.N) {
	t.Helper()
	r := newRecorder(1)
	defer bus.Subscribe(r.add)()
	bus.Publish(changes.Batch{Position: n})
	r.wait(t)
}

// recorder keeps the positions it is given and tells when n are there.
type recorder struct {
	got  []position.N // read it after wait
	want int
	full chan struct{}
}

func newRecorder(n int) *recorder { return &recorder{want: n, full: make(chan struct{})} }

func (r *recorder) add(b changes.Batch) {
	r.got = append(r.got, b.Position)
	if len(r.got) == r.want {
		close(r.full)
	}
}

func (r *recorder) wait(t *testing.T) {
	t.Helper()
	await(t, r.full, fmt.Sprintf("%d batches", r.want))
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v for %s", patience, what)
		panic("unreachable")
	}
}
