package postgres

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/topology"
)

// watchDegraded lets reads go on without a lease while no write can be answered: there
// is no primary, or it waits for a standby to confirm commits and none does.
func (s *Store) watchDegraded() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var since, gone time.Time // no write is answered; there is no primary
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
		}
		primary := s.nodes.watcher.State().Primary() != nil
		if primary && (s.clock.Index().Leased() || s.confirms()) {
			since, gone = time.Time{}, time.Time{}
			s.clock.Degrade(false)
			continue
		}
		now := time.Now()
		if since.IsZero() {
			since = now
		}
		switch {
		case primary:
			gone = time.Time{}
		case gone.IsZero():
			gone = now
		}
		if now.Sub(since) > unconfirmedAfter || !gone.IsZero() && now.Sub(gone) > goneAfter {
			s.clock.Degrade(true)
		}
	}
}

// confirms tells whether the primary confirms a commit. Who hears of no changes may be
// the only one who does not.
func (s *Store) confirms() bool {
	ctx, cancel := context.WithTimeout(context.Background(), confirmWait)
	defer cancel()
	return s.Registry().commit(ctx, &query{sql: confirmSQL, once: true}) == nil
}

const confirmWait = 400 * time.Millisecond

// goneAfter is for how long there must be no primary: as long as a lease lasts.
// unconfirmedAfter is for how long none may have confirmed a commit, of which replicas
// may show some.
const (
	goneAfter        = 500 * time.Millisecond
	unconfirmedAfter = time.Second
)

// Seen fails with KindUnavailable if the client of ctx keeps positions, and has seen more
// than this server knows, which has no primary to ask: what it knows of rules may be old.
func (s *Store) Seen(ctx context.Context) error {
	t, ok := position.SessionOf(ctx).Require()
	if !ok || s.clock == nil {
		return nil
	}
	x := s.clock.Index()
	if !s.clock.Degraded(x) || t.Timeline <= x.Epoch().Timeline && t.N <= x.Frontier() {
		return nil
	}
	return unheard(nil)
}

// readerDegraded is a connection for a read while no primary confirms a commit: to the
// replica whose answer is least likely to be taken back, else to a new primary.
// later is the least timeline that will do.
func (k *nodes) readerDegraded(ctx context.Context, need position.N, later uint32) (*node, *conn, error) {
	return k.until(ctx, func(wait context.Context, _ []*topology.Member) (*topology.Member, error) {
		for {
			state := k.watcher.State()
			if m := cmp.Or(state.Surest(need, later), state.Primary()); m != nil {
				return m, nil
			}
			if !moved(wait, state) {
				return nil, errNoPrimary
			}
		}
	}, func(n *node) *pool { return n.reads })
}

// idleSQL tells whether nothing is being replayed, or what is has nothing to show yet, as it
// waits for somebody's query to end: no row, where that may not be asked. It takes the right
// to see it, which pg_monitor gives.
const idleSQL = `SELECT coalesce(wait_event_type IN ('Lock', 'BufferPin') OR wait_event IN
		('RecoveryWalStream', 'RecoveryRetrieveRetryInterval', 'RecoveryApplyDelay', 'RecoveryPause',
		'RecoveryConflictSnapshot', 'RecoveryConflictTablespace'), false)
	FROM pg_stat_activity WHERE backend_type = 'startup'`

// standsStill is after what time a replica that has not gone on is taken to be replaying
// nothing, where it may not be asked.
const standsStill = 100 * time.Millisecond

// errReplaying says that a replica replays something for longer than a read is given, a commit
// that unlinks large files for instance, which it may show already.
var errReplaying = errors.New("postgres: the replica has not come to the end of what it replays")

// whole sees to it that nothing that a replica has shown before m lies beyond m. It shows
// a commit a moment before it says that it has replayed it: if it has received more, it is
// asked until it has gone on, and so has come to the end of what it was replaying, or
// waits for something before it replays the next.
func (r *snapshot) whole(ctx context.Context, m *mark) error {
	began := time.Now()
	for from := m.n; m.n == from && (m.received == 0 || m.received > m.n); {
		var told, still bool // before it says how far it is
		idle := &query{sql: idleSQL, text: true, row: func(_ *query, v [][]byte) error {
			told, still = true, string(v[0]) == "t"
			return nil
		}}
		if err := r.c.run(ctx, idle, m.query(reachedSQL, false)); err != nil || still {
			return err
		}
		switch {
		case !told && time.Since(began) > standsStill:
			return nil
		case time.Since(r.stream.began) > r.s.opts.WriteWait:
			return errReplaying
		}
		if err := pause(ctx, 1); err != nil {
			return err
		}
	}
	return nil
}
