package cluster

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// follower is what a member knows; it outlives connections.
type follower struct {
	known atomic.Uint64 // the highest term heard of
	index *position.Index
	safe  position.N // the highest S heard of; the index is told of no more than its F
	// What is applied and not safe yet is delivered later.
	pending []changes.Entry
	// told is the last commit that was delivered, of epoch. A tailer whose own index is
	// behind gives one that begins before it: what comes again is not delivered again.
	told  position.N
	epoch position.Epoch
	since int64 // since when index is ours: what the clock was before is echoed in vain
	// The index begins at a snapshot, up to which the primary may not show all yet: what
	// the store has to do for it is done again when S has come here, and no lease is
	// taken before. 0: that is done.
	unseen position.N

	late   atomic.Int64 // when the last lease was granted
	newest atomic.Int64 // when F is last known to have been all that the primary had; 0: never
	tailer atomic.Pointer[Tailer]
}

// follow follows whoever is the tailer, and becomes it if there is none.
func (n *Node) follow(ctx context.Context) {
	defer n.forsake()
	select {
	case <-n.joined:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		row, err := n.look(ctx)
		if err != nil {
			n.note("the tailer's row cannot be read: " + err.Error())
			n.pause(ctx, n.cfg.Renew)
			continue
		}
		if n.vacant() {
			n.take(ctx)
			continue
		}
		c, err := n.reach(ctx, row)
		if err != nil {
			n.note("the tailer cannot be reached: " + err.Error())
			n.watch.gone = errors.Is(err, syscall.ECONNREFUSED)
			n.pause(ctx, n.cfg.Tick)
			continue
		}
		err = n.session(ctx, c, row)
		if ctx.Err() == nil && err != nil && !errors.Is(err, errVacant) {
			n.note("the tailer was lost: " + err.Error())
			n.log.Info("the tailer is followed no more", "term", row.Term, "err", err)
			n.pause(ctx, n.cfg.Tick/4)
		}
	}
}

// forsake gives up all that this server may believe.
func (n *Node) forsake() {
	if n.f.index != nil {
		old := n.f.index
		x := position.NewStreamIndex(old.Epoch(), old.Frontier(), 1)
		x.SetInstance(old.Instance())
		n.cfg.Clock.Replace(x)
		n.f.index = nil
	}
}

// reach connects to the tailer; when it is here, by a pipe.
func (n *Node) reach(ctx context.Context, row Tailer) (net.Conn, error) {
	if row.Holder == n.cfg.Self.ID {
		ours, theirs := net.Pipe()
		n.wait.Go(func() {
			defer theirs.Close()
			n.welcome(n.cfg.Self.ID, theirs)
		})
		return ours, nil
	}
	if n.cfg.Transport == nil {
		return nil, errors.New("it is another server, " + row.Holder + ", and this one has no cluster secret")
	}
	m, err := n.find(ctx, row.Holder)
	if err != nil {
		return nil, err
	}
	limit, cancel := context.WithTimeout(ctx, n.cfg.Deadline)
	defer cancel()
	return n.cfg.Transport.Dial(limit, m)
}

// find is the member of that id.
func (n *Node) find(ctx context.Context, id string) (Member, error) {
	all, err := n.askMembers(ctx)
	if err != nil {
		return Member{}, err
	}
	for _, m := range all {
		if m.ID == id {
			return m, nil
		}
	}
	// One who has left says so by its row. Nobody is there to be reached.
	return Member{}, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// note keeps why this server has no lease, for Status.
func (n *Node) note(problem string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.problem = problem
}

// shortly is a time for a look at what is there already.
func (n *Node) shortly() time.Duration { return n.cfg.Renew / 2 }
