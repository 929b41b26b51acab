package postgres

import (
	"cmp"
	"context"
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
func (k *nodes) readerDegraded(ctx context.Context, need position.N) (*node, *conn, error) {
	return k.until(ctx, func(wait context.Context) (*topology.Member, error) {
		for {
			state := k.watcher.State()
			if m := cmp.Or(state.Surest(max(need, k.s.clock.Shown())), state.Primary()); m != nil {
				return m, nil
			}
			if !moved(wait, state) {
				return nil, errNoPrimary
			}
		}
	}, func(n *node) *pool { return n.reads })
}

// stood is how far a replica had replayed and received, and when it was first found there.
type stood struct {
	at, received position.N
	since        time.Time
}

// standsStill is after what time a replica that has neither gone on nor received more is
// taken to be replaying nothing: what it has received ends within a record.
const standsStill = 100 * time.Millisecond

// whole sees to it that nothing that a replica has shown before m lies beyond m. It shows
// a commit a moment before it says that it has replayed it: if it has received more, it is
// asked until it has gone on, and so has come to the end of what it was replaying.
func (r *snapshot) whole(ctx context.Context, m *mark) error {
	began := time.Now()
	for from := m.n; m.n == from && (m.received == 0 || m.received > m.n); {
		now := time.Now()
		was := r.node.stood.Load()
		if was == nil || was.at != m.n || was.received != m.received {
			was = &stood{m.n, m.received, now}
			r.node.stood.Store(was)
		}
		if now.Sub(was.since) > standsStill || now.Sub(began) > standsStill { // as where replay is paused
			return nil
		}
		if err := pause(ctx, 1); err != nil {
			return err
		}
		if err := r.c.run(ctx, m.query(reachedSQL, false)); err != nil {
			return err
		}
	}
	return nil
}
