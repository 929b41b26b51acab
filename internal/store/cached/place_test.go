package cached_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/overload"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/cached"
)

// Who leads a fill and waits for a place at the database must not keep those from filling
// who have one and wait for that fill; and is answered with it.
func TestWhoHasAPlaceFills(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1)
	inLine, turn := make(chan struct{}), make(chan error)
	ticket := overload.NewTicket(func() error { close(inLine); return <-turn })
	var fills atomic.Int64
	view := func(ctx context.Context) {
		if n, err := f.view(ctx, "a", &fills); n != 1 || err != nil {
			t.Errorf("%v, %v, want 1", n, err)
		}
	}
	var leader sync.WaitGroup
	leader.Go(func() { view(ticket.With(t.Context())) })
	<-inLine
	view(t.Context())
	turn <- errors.New("there is no place")
	leader.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("%d fills, want 1", n)
	}
}

// A refusal is that of who leads alone: not of who comes to a place by then.
func TestWhoIsRefusedFailsAlone(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1)
	inLine, turn := make(chan struct{}), make(chan error)
	refused := errors.New("there is no place")
	ticket := overload.NewTicket(func() error { close(inLine); return <-turn })
	var fills atomic.Int64
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := f.view(ticket.With(t.Context()), "a", &fills); !errors.Is(err, refused) {
			t.Errorf("who is refused: %v", err)
		}
	})
	<-inLine
	joined := make(chan struct{})
	other := overload.NewTicket(func() error { return nil })
	both.Go(func() {
		close(joined)
		if n, err := f.view(other.With(t.Context()), "a", &fills); n != 1 || err != nil {
			t.Errorf("who waits for it: %v, %v, want 1", n, err)
		}
	})
	<-joined
	turn <- refused
	both.Wait()
}

// unstamped is a store of which nothing is known without a lease.
type unstamped struct{ store.Store }

type unstampedReader struct{ store.Reader }

func (unstampedReader) Stamp() position.N { return 0 }

func (s unstamped) Read(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.Read(ctx, func(r store.Reader) error { return fn(unstampedReader{r}) })
}

// What is read without a lease each reads for himself: not one after the other.
func TestWithoutALeaseAllReadAtOnce(t *testing.T) {
	f := open(t)
	x := position.NewStreamIndex(position.Epoch{}, 1, 16)
	clock := position.NewClock(x, time.Second)
	clock.Grant(x, position.BootTime()+1)
	clock.Degrade(true)
	f.Facts = cached.New(unstamped{f.db}, f.cache, clock)
	const readers = 4 // as many as the store reads for at once
	first, firstIn := make(chan struct{}), make(chan struct{})
	var fills atomic.Int64
	var others, all sync.WaitGroup
	others.Add(readers - 1)
	at := func(ctx context.Context, _ store.Reader) (any, int, error) {
		if fills.Add(1) == 1 {
			close(firstIn)
			<-first
			return 1, 8, nil
		}
		others.Done()
		together := make(chan struct{})
		go func() { others.Wait(); close(together) }()
		select {
		case <-together:
			return 1, 8, nil
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	read := func() {
		if v, err := f.Read(ctx, []byte("k"), at); v != 1 || err != nil {
			t.Errorf("%v, %v", v, err)
		}
	}
	all.Go(read)
	<-firstIn
	var begun sync.WaitGroup
	begun.Add(readers - 1)
	for range readers - 1 {
		all.Go(func() { begun.Done(); read() })
	}
	begun.Wait()
	close(first)
	all.Wait()
	if n, kept := fills.Load(), f.cache.Get([]byte("k")); n != readers || kept != nil {
		t.Errorf("%d fills of %d, kept: %v", n, readers, kept)
	}
}
