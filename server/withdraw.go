package server

import (
	"context"
	"sync"
	"time"

	"github.com/pandobase/pando/internal/web"
)

// How a member takes its leave of load balancers.
const (
	// spreadStreams is the time within which event streams end: their clients come
	// back, and are not to come all at once.
	spreadStreams = time.Second
	// Load balancers that are there know within withdrawTold that they are to send
	// nothing more, and are surely done with it after withdrawLeast; a server that has
	// had no request for withdrawQuiet then has none to expect. One that still gets some
	// after withdrawMost stops all the same.
	withdrawTold  = 400 * time.Millisecond
	withdrawLeast = 750 * time.Millisecond
	withdrawQuiet = 250 * time.Millisecond
	withdrawMost  = 3 * time.Second
	// A load balancer that has not been seen for so long is none: they ask every second
	// whether a server is ready.
	visitsEnd = 5 * time.Second
)

// withdraw has load balancers send their requests elsewhere, before this server stops
// to take them: a request that meets a closed connection may not be sent again.
func (s *Server) withdraw(h *web.Handler) {
	m := s.parts.store.member
	if m == nil || m.door == nil {
		return
	}
	// The bound is the node's own; nobody's context is left when a server stops.
	if err := m.node.Leave(context.Background()); err != nil {
		s.log.Warn("the database was not told that this server goes; load balancers that ask it for that find out by its health", "error", err)
	}
	began, moved := time.Now(), false
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		seen, request := h.Visited()
		gone := time.Since(began)
		if !moved && gone > withdrawTold {
			h.MoveStreams(spreadStreams)
			moved = true
		}
		switch {
		case time.Since(seen) > visitsEnd, gone > withdrawMost:
			return
		case gone > withdrawLeast && time.Since(request) > withdrawQuiet:
			return
		}
		<-tick.C
	}
}

// moveAway has event streams end when an operator drains this server, until ctx ends
// or the returned function is called.
func (s *Server) moveAway(ctx context.Context, h *web.Handler) (stop func()) {
	m := s.parts.store.member
	if m == nil || m.door == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(withdrawQuiet)
		defer tick.Stop()
		before := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := m.node.Draining()
			if now && !before {
				s.log.Info("this server is being drained: event streams end, load balancers go elsewhere")
				h.MoveStreams(spreadStreams)
			}
			if before && !now {
				s.log.Info("this server is drained no more")
			}
			before = now
		}
	})
	return func() { cancel(); running.Wait() }
}
