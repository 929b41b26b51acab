package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/topology"
)

// writer is a connection to the primary, for which it waits a bounded time.
func (k *nodes) writer(ctx context.Context) (*node, *conn, error) {
	return k.until(ctx, k.primary, func(n *node) *pool { return n.writes })
}

// keeper is one for the cluster's own needs, which wait for no requests: behind a failover
// there are many, and all of them wait for what these do.
func (k *nodes) keeper(ctx context.Context) (*node, *conn, error) {
	return k.until(ctx, k.primary, func(n *node) *pool { return n.cluster })
}

// primary waits for one, slow or not: there is no other.
func (k *nodes) primary(wait context.Context, _ []*topology.Member) (*topology.Member, error) {
	if m := k.watcher.State().LastPrimary(); m != nil && k.sole() {
		return m, nil
	}
	return k.watcher.WaitPrimary(wait)
}

// reader is a connection to a node that shows everything up to need: a replica if
// one does, else the primary. While there is no primary, it waits for a replica
// to come as far.
func (k *nodes) reader(ctx context.Context, need position.N, primary bool) (*node, *conn, error) {
	return k.readerUnless(ctx, need, primary, func() bool { return false })
}

// readerUnless is reader, but for who waits in vain once over says so: the error is
// errDegraded then. Where a replica says with its answer how far it was (runStreamed),
// one that had not come as far when last heard is asked before the primary is.
func (k *nodes) readerUnless(ctx context.Context, need position.N, primary bool, over func() bool) (*node, *conn, error) {
	return k.until(ctx, func(wait context.Context, slow []*topology.Member) (*topology.Member, error) {
		for {
			state := k.watcher.State()
			for _, but := range [][]*topology.Member{slow, nil} { // these too, if there is no other
				if !primary {
					if m := state.Replica(need, but...); m != nil {
						return m, nil
					}
				}
				if m := state.Primary(); m != nil && !slices.Contains(but, m) {
					if g := state.Guess(but...); g != nil && !primary && k.s.clock != nil {
						return g, nil
					}
					return m, nil
				}
			}
			if m := state.LastPrimary(); m != nil && k.sole() {
				return m, nil
			}
			if over() {
				return nil, errDegraded
			}
			if !moved(wait, state) {
				return nil, errNoPrimary
			}
		}
	}, func(n *node) *pool { return n.reads })
}

// moved waits until there is another state, or nodes may have got further; false if ctx
// ends before.
func moved(ctx context.Context, state *topology.State) bool {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-state.Changed():
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

var (
	errNoPrimary = errors.New("no node that can be read")
	errDegraded  = errors.New("there is no primary, and reads go on without one")
)

// finder finds whom to ask. Those who were slow to give a connection are asked if there is
// no other.
type finder func(ctx context.Context, slow []*topology.Member) (*topology.Member, error)

// until takes a connection to the node that find finds, again and again within
// the time that a request may wait.
func (k *nodes) until(ctx context.Context, find finder, from func(*node) *pool) (*node, *conn, error) {
	deadline := time.Now().Add(k.s.opts.WriteWait)
	var slow []*topology.Member
	for try := 1; ; try++ {
		m, err := k.found(ctx, deadline, func(ctx context.Context) (*topology.Member, error) { return find(ctx, slow) })
		if err != nil {
			return nil, nil, err
		}
		var c *conn
		m.Acquire()
		n := k.of(m)
		if n == nil {
			err = errPoolClosed // its life has just ended
		} else if c, err = from(n).acquire(ctx); err == nil {
			return n, c, nil
		}
		m.Release()
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case !isLost(err) && !isStarting(err) || time.Now().After(deadline):
			return nil, nil, unavailable(err)
		case errors.Is(err, errSlow):
			slow = append(slow, m)
		case !errors.Is(err, errPoolClosed):
			m.Suspect()
		}
		if err := pause(ctx, try); err != nil {
			return nil, nil, err
		}
	}
}

func (k *nodes) found(
	ctx context.Context, deadline time.Time, find func(context.Context) (*topology.Member, error),
) (*topology.Member, error) {
	wait, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	m, err := find(wait)
	if err == nil {
		return m, nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errDegraded) {
		return nil, err
	}
	return nil, &pando.Error{
		Kind: pando.KindUnavailable, Message: "The database cannot be reached at the moment. Please try again in a moment.",
		Err: errors.New(maskIn(err.Error(), k.s.opts.URL)),
	}
}
