package cluster

import (
	"context"
	"time"
)

// watch is what this server has seen of the tailer's row.
type watch struct {
	row   Tailer
	known bool
	first int64 // when row was known to be as it is: the renewal that made it so began before
	still int64 // since when it was seen so again and again; failures to look begin anew
	gone  bool  // nobody listens at the tailer's address any more
}

// look reads the tailer's row.
func (n *Node) look(ctx context.Context) (Tailer, error) {
	limit, cancel := n.ask(ctx)
	defer cancel()
	row, err := n.cfg.Registry.Tailer(limit)
	w := &n.watch
	now := n.now()
	switch {
	case err != nil:
		// Where nobody can look, nobody could renew either.
		w.still = 0
		return w.row, err
	case !w.known || row != w.row:
		*w = watch{row: row, known: true, first: now, still: now}
	case w.still == 0:
		w.still = now
	}
	return row, nil
}

// vacant tells whether this server may try to become the tailer.
//
// Nothing hangs on it: take is by compare-and-set, and a new tailer waits until the
// one before can do no harm (reign.go), whether that is dead or not. Here it is only
// decided whether to disturb one who may be alive:
//
//	there is none, or it was this server in an earlier life     at once
//	its machine says that nobody listens there any more:        who is ready to be it at once,
//	                                                            others if it renews no more
//	its row stands still                                        after 2 D, others later
func (n *Node) vacant() bool {
	w := &n.watch
	if !w.known || w.still == 0 || n.now() < n.shy.Load() {
		return false
	}
	if w.row.Holder == "" || w.row.Holder == n.cfg.Self.ID && n.reigning() == nil {
		return true
	}
	ready := n.spare.ready()
	patience := 2 * n.cfg.Deadline
	if w.gone {
		patience = 0
		if !ready {
			patience = 3 * n.cfg.Renew
		}
	} else if !ready {
		patience += n.cfg.Renew
	}
	return time.Duration(n.now()-w.still) >= patience
}

// take makes this server the tailer, if the row is still as it was seen.
func (n *Node) take(ctx context.Context) {
	row := n.watch.row
	for {
		began := n.now()
		limit, cancel := n.ask(ctx)
		now, ok, err := n.cfg.Registry.TakeTailer(limit, row, n.cfg.Self.ID)
		cancel()
		if err != nil || !ok {
			// If it did succeed, the next look shows an earlier life of this server.
			if err != nil && ctx.Err() == nil {
				n.log.Warn("the tailer's row cannot be taken; trying again", "err", err)
			}
			n.pause(ctx, n.cfg.Tick)
			return
		}
		row = now
		if now.Term > n.f.known.Load() {
			n.log.Info("this server reads the database's log for all", "term", now.Term)
			n.crown(ctx, now, n.watch.first, began)
			return
		}
		// A database that was restored from a copy, or has lost its last commits in a
		// failover, has forgotten terms. Nobody listens to one that was there before.
	}
}
