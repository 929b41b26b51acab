package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Node is this server's part in the cluster: always a member, which follows the
// tailer (follow.go, session.go); sometimes the tailer itself (reign.go), or ready
// to become it (standby.go).
type Node struct {
	cfg  Config
	boot uint64
	log  *slog.Logger

	joined chan struct{} // closed when the member's row was first written
	beaten atomic.Int64  // when the last successful beat began
	again  chan struct{} // the row was lost and written anew: begin anew
	shy    atomic.Int64  // until then it does not try to be the tailer
	turns  atomic.Int64  // how often it gave that up to the only other server, in vain

	roster roster

	mu      sync.Mutex
	reign   *reign // this server is the tailer
	problem string // why there is no tailer to follow
	counts  Counts

	f     follower
	watch watch
	spare standby
	wait  sync.WaitGroup
}

// New makes a node; Run has it take part.
func New(cfg Config) *Node {
	cfg.complete()
	return &Node{
		cfg: cfg, boot: bootNumber(cfg.Self.Boot), log: cfg.Log,
		joined: make(chan struct{}), again: make(chan struct{}, 1),
		f:      follower{since: cfg.BootTime()},
		roster: roster{changed: make(chan struct{}), asked: make(chan struct{}, 1), finding: make(chan struct{}, 1)},
	}
}

// Run takes part until ctx ends. When it returns, this server has no lease and takes
// none, and the others know.
func (n *Node) Run(ctx context.Context) {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	if n.cfg.Transport != nil {
		n.wait.Go(func() { n.accept(serving) })
	}
	var beating sync.WaitGroup
	n.wait.Go(func() { n.lookOut(serving) })
	beats, stopBeats := context.WithCancel(serving)
	beating.Go(func() { n.beat(beats) })

	n.follow(ctx)

	// The tailer issues nothing more before its row is gone, and its row is gone before
	// the others notice: so whoever comes after has nobody to wait for.
	n.spare.stop()
	r := n.reigning()
	if r != nil {
		r.rest()
	}
	stopBeats()
	beating.Wait()
	if r != nil {
		r.end()
	}
	stopServing()
	if n.cfg.Transport != nil {
		_ = n.cfg.Transport.Close()
	}
	n.wait.Wait()
}

func (n *Node) now() int64 { return n.cfg.BootTime() }

// accept takes connections of other members.
func (n *Node) accept(ctx context.Context) {
	for {
		c, err := n.cfg.Transport.Accept()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				n.log.Warn("members cannot be let in; trying again", "err", err)
				if n.pause(ctx, time.Second) {
					continue
				}
			}
			return
		}
		n.wait.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer stop()
			n.receive(ctx, c)
		})
	}
}

// receive finds out who connects, and hands them to the tailer, if that is here.
func (n *Node) receive(ctx context.Context, c net.Conn) {
	defer c.Close()
	limit, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	id, verified, err := n.cfg.Transport.Verify(limit, c)
	if err != nil {
		return
	}
	defer verified.Close()
	n.welcome(id, verified)
}

// welcome reads a member's HELLO, and serves it until the connection ends.
func (n *Node) welcome(id string, c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(handshakeTime))
	_, m, err := readFrame(c)
	if err != nil {
		return
	}
	h, ok := m.(hello)
	if !ok || h.ID != id {
		n.log.Warn("a member did not say who it is", "server", id)
		return
	}
	format, err := negotiate(h)
	if err != nil {
		n.refuse(c, err.Error())
		return
	}
	r := n.reigning()
	if r == nil {
		n.refuse(c, "this server is not the tailer")
		return
	}
	_ = c.SetDeadline(time.Time{})
	r.serve(c, h, format)
}

func (n *Node) refuse(c net.Conn, reason string) {
	_, _ = c.Write(appendFrame(nil, formatOldest, refusal{Reason: reason, Term: n.f.known.Load()}))
}

func (n *Node) reigning() *reign {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reign
}

// pause waits, and tells whether there is still something to wait for.
func (n *Node) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// ask bounds a question to the registry. What takes longer is worth nothing.
func (n *Node) ask(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, n.cfg.Deadline)
}
