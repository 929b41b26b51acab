package cluster

import (
	"context"
	"time"
)

// beat keeps the member's row: written first of all, renewed, written again if it
// was lost, removed at the end.
//
// Whoever becomes the tailer reads the rows after that, and need not wait out the
// leases of members that are not there (reign.go). So a member asks who the tailer
// is only after its row is written, and takes no lease if it has not renewed its row
// for a while: then it may have been removed.
func (n *Node) beat(ctx context.Context) {
	joined := false
	told := false
	for {
		began := n.now()
		err := n.beatOnce(ctx, &joined)
		wait := n.cfg.Beat
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if !told {
				n.log.Warn("this server's row in the database cannot be renewed; trying again", "err", err)
			}
			wait = n.cfg.Renew
		default:
			n.beaten.Store(began)
			n.callMembers(ctx)
			if told {
				n.log.Info("this server's row in the database is renewed again")
			}
		}
		told = err != nil
		if !n.pause(ctx, wait) {
			break
		}
	}
	if joined {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.cfg.Deadline)
		defer cancel()
		_ = n.cfg.Registry.Leave(limit, n.cfg.Self)
	}
}

// callMembers reads who is a member, for Status, and for the tailer's roll.
func (n *Node) callMembers(ctx context.Context) {
	all, err := n.askMembers(ctx)
	if err != nil {
		return // with the next beat
	}
	if r := n.reigning(); r != nil {
		r.post(func() { r.roll(all) })
	}
}

func (n *Node) askMembers(ctx context.Context) ([]Member, error) {
	limit, cancel := n.ask(ctx)
	defer cancel()
	began := n.now()
	all, err := n.cfg.Registry.Members(limit)
	if err == nil {
		n.called(all, began)
	}
	return all, err
}

func (n *Node) beatOnce(ctx context.Context, joined *bool) error {
	limit, cancel := n.ask(ctx)
	defer cancel()
	if *joined {
		ok, err := n.cfg.Registry.Beat(limit, n.self())
		if err != nil || ok {
			return err
		}
		n.log.Warn("this server's row in the database is gone; it joins again")
	}
	if err := n.cfg.Registry.Join(limit, n.self()); err != nil {
		return err
	}
	if !*joined {
		*joined = true
		close(n.joined)
		return nil
	}
	select {
	case n.again <- struct{}{}:
	default:
	}
	return nil
}

// self is this server's row as it is to be.
func (n *Node) self() Member {
	m := n.cfg.Self
	m.Load, m.Draining = n.cfg.Load(), n.roster.leaving.Load()
	return m
}

// registered tells whether the member's row is surely there.
func (n *Node) registered(now int64) bool {
	at := n.beaten.Load()
	return at != 0 && time.Duration(now-at) < n.cfg.fresh()
}
