package cluster

import (
	"context"
	"errors"
	"sync"
)

// standby is a log that is read for the day on which this server becomes the tailer:
// then no commit is missing, and every member goes on where it was.
type standby struct {
	cancel context.CancelFunc // of reading; nil: not appointed
	ended  chan struct{}

	mu   sync.Mutex
	tail *tail // open, and nobody else's
}

// appoint begins or ends to read. Only the follower calls it, and release and stop.
func (s *standby) appoint(n *Node, yes bool) {
	if yes == (s.cancel != nil) {
		return
	}
	if !yes {
		if t := s.release(); t != nil {
			n.wait.Go(t.close) // the follower does not wait for a connection to end
		}
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan struct{})
	go func() {
		defer close(s.ended)
		s.run(ctx, n)
	}()
}

func (s *standby) run(ctx context.Context, n *Node) {
	for {
		t, err := openTail(ctx, &n.cfg)
		if err == nil {
			s.put(t)
			err = s.keep(ctx, n, t)
		}
		if ctx.Err() != nil {
			return
		}
		n.log.Info("the log that is read in reserve was lost; opening it again", "err", err)
		if !n.pause(ctx, n.cfg.Beat) {
			return
		}
	}
}

// keep forgets what is old, until the log is lost or somebody else's.
func (s *standby) keep(ctx context.Context, n *Node, t *tail) error {
	for n.pause(ctx, n.cfg.Renew) {
		if x := n.cfg.Clock.Index(); x.Epoch() == t.epoch {
			t.forget(x.Safe())
		}
		err := t.lost()
		if err == nil && t.full() {
			err = errTooMuch
		}
		if err != nil {
			s.put(nil)
			t.close()
			return err
		}
	}
	return ctx.Err()
}

// errTooMuch is of a server that the tailer does not reach: it does not hear what is
// safe, so that it would keep the log without bound, and the database with it.
var errTooMuch = errors.New("this server is not told what may be forgotten of it")

func (s *standby) put(t *tail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail = t
}

// ready tells whether the log is read.
func (s *standby) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tail != nil && s.tail.lost() == nil
}

// release gives the log away, if there is one.
func (s *standby) release() *tail {
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	<-s.ended
	s.cancel = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tail
	s.tail = nil
	return t
}

// stop ends reading.
func (s *standby) stop() {
	if t := s.release(); t != nil {
		t.close()
	}
}
