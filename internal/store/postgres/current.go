package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// current is the newest catalog, with the gate that writes under it must find
// open (gate.go).
type current struct {
	cat   *store.Catalog
	gate  int64
	found bool // it was read when nobody could move it

	// Where a stream tells of commits: the commit that made the catalog is of this
	// epoch, and not beyond upper.
	epoch position.Epoch
	upper position.N
	// settled is the index by which everybody knows of that commit; nil: not yet.
	settled atomic.Pointer[position.Index]
}

// gateWait is how long who follows the stream waits for the lock of the gate.
const gateWait = "50ms"

// shut is a gate that is never found open: who writes under it looks again.
const shut = -1

// load reads the catalog, with a position that it holds. The lock keeps it and
// the gate together.
//
// A change of the schema has the lock for as long as it takes. Whoever follows the
// stream, or joins, must not wait for that: reads go on meanwhile. They go by the
// catalog of before it, and who writes waits for the lock, and then finds the gate shut.
func (s *Store) load(ctx context.Context, n *node, c *conn) (now *current, at where, err error) {
	if err := c.run(ctx, at.query(n)); err != nil {
		return nil, at, err
	}
	const begin, lock = "BEGIN ISOLATION LEVEL REPEATABLE READ", "LOCK TABLE _pando_meta IN ROW SHARE MODE"
	locked := true
	if s.clock == nil {
		err = c.exec(ctx, begin, lock)
	} else if err = c.exec(ctx, begin, "SET LOCAL lock_timeout = '"+gateWait+"'", lock); codeOf(err) == codeLockTimeout {
		locked = false
		err = c.exec(ctx, "ROLLBACK", begin)
	}
	if err != nil {
		return nil, at, err
	}
	now = new(current)
	m, err := readMeta(ctx, c)
	if err == nil {
		err = s.holdsLease(ctx, c, m)
	}
	if err == nil {
		if now.gate, now.found = m.gate, locked; !locked {
			now.gate = shut
		}
		now.cat, err = loadCatalog(ctx, c, m.catalog)
	}
	if err == nil && s.clock != nil {
		err = c.each(ctx, "SELECT "+epochSQL+", (pg_current_wal_flush_lsn() - '0/0')::text FROM _pando_meta", func(v [][]byte) error {
			upper, err := strconv.ParseUint(string(v[3]), 10, 64)
			now.upper = position.N(upper)
			if err == nil {
				now.epoch, err = parseEpoch(v)
			}
			return err
		})
	}
	if c.broken() {
		return nil, at, err
	}
	if end := c.exec(ctx, "COMMIT"); err == nil {
		err = end
	}
	return now, at, err
}

// Catalog is the newest published catalog; nil before the first.
func (s *Store) Catalog() *store.Catalog {
	if now := s.now.Load(); now != nil {
		return now.cat
	}
	return nil
}

// publish makes next, which is committed, the newest catalog with its gate, unless
// there is a newer one. That of a later epoch is the newest, whatever its version: a
// failover or a restore can lose commits, and others can take their numbers. A gate that
// was moved by what was rolled back can be lost in a crash of the primary: what is found
// there is so, be it less.
func (s *Store) publish(next *current) {
	for {
		old := s.now.Load()
		switch {
		case old.epoch.After(next.epoch):
			return
		case next.epoch.After(old.epoch):
			if sameCatalog(next.cat, old.cat) {
				next.cat = old.cat
			}
		case next.cat.Version < old.cat.Version:
			return
		case next.cat.Version == old.cat.Version && (next.gate == old.gate || next.gate < old.gate && !next.found):
			return
		case next.cat.Version == old.cat.Version:
			next.cat = old.cat
		}
		if s.now.CompareAndSwap(old, next) {
			return
		}
	}
}

func sameCatalog(a, b *store.Catalog) bool {
	text := func(c *store.Catalog) []byte {
		text, _ := json.Marshal(struct {
			Version     uint64
			Settings    *pando.Settings
			Collections []*pando.Collection
		}{c.Version, c.Settings, c.Collections}) // as they are stored
		return text
	}
	return bytes.Equal(text(a), text(b))
}

// nextVersion is a version that no catalog ever had, not even one of a
// transaction that was rolled back.
func (s *Store) nextVersion(after uint64) uint64 {
	for {
		old := s.version.Load()
		next := max(old, after) + 1
		if s.version.CompareAndSwap(old, next) {
			return next
		}
	}
}

// refresh reads the catalog anew, because another program has changed it.
func (s *Store) refresh(ctx context.Context) error {
	n, c, err := s.nodes.keeper(ctx) // writes wait for what the catalog says, and the stream does
	if err != nil {
		return err
	}
	defer n.release(c)
	now, at, err := s.load(ctx, n, c)
	if err != nil {
		return unavailable(err)
	}
	foreign := now.cat.Version > s.Catalog().Version && s.coming.Load() == 0
	s.catalogs.Add(now.cat)
	s.publish(now)
	s.nextVersion(now.cat.Version)
	if foreign && s.clock == nil {
		s.commits.foreign(at.timeline, at.n, true)
	}
	return nil
}

// renewal is how the catalog is read for all who found theirs old.
type renewal struct {
	turn  chan struct{} // full: somebody reads it
	begun time.Time     // when that began which was the last to succeed; of who has the turn
}

// renew has another catalog than one that was found old. After a failover all who waited
// for the new primary find it so, and after each change of the rules all who read where it
// shows before the stream has told of it: one of them reads the catalog, and the others go
// by that.
func (s *Store) renew(ctx context.Context, under *current) error {
	came := time.Now()
	timer := time.NewTimer(s.opts.WriteWait)
	defer timer.Stop()
	select {
	case s.renewal.turn <- struct{}{}:
		defer func() { <-s.renewal.turn }()
	case <-timer.C:
		return givenUp(errMoved)
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.now.Load() != under || s.renewal.begun.After(came) {
		return nil
	}
	begun := time.Now()
	// It goes on when the client has gone for which it began: others wait for it. But nobody
	// waits for longer than a request may.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), came.Add(s.opts.WriteWait))
	defer cancel()
	err := s.refresh(ctx)
	switch {
	case err == nil:
		s.renewal.begun = begun
	case ctx.Err() != nil: // the time is over, and not that of who asked
		err = givenUp(err)
	}
	return err
}

// Await waits until this server goes by all that was answered to anybody by now. It
// fails with KindUnavailable if it does not hear of that.
func (s *Store) Await(ctx context.Context) error {
	switch {
	case s.clock != nil:
		_, err := s.clock.Ready(ctx)
		return err
	case s.alone || s.opts.OneShot:
		return nil
	}
	// Nobody tells. What the primary shows is what was answered.
	n, c, err := s.nodes.writer(ctx)
	if err != nil {
		return err
	}
	var version uint64
	err = c.each(ctx, "SELECT catalog FROM _pando_meta", func(v [][]byte) (err error) {
		version, err = strconv.ParseUint(string(v[0]), 10, 64)
		return err
	})
	n.release(c)
	if err != nil {
		return unavailable(err)
	}
	if version != s.Catalog().Version {
		return s.refresh(ctx)
	}
	return nil
}

// InForce waits until every server goes by the newest catalog that this one knows, or
// by a newer one. A catalog is known here before the others need know of it (see
// [Store.Bring]), and what is answered by it alone, that somebody may not read a
// collection for instance, is read nowhere. Who goes by it answers nothing before.
//
// It fails with KindUnavailable if that takes too long.
func (s *Store) InForce(ctx context.Context) error {
	err := s.inForce(ctx, s.now.Load())
	if errors.Is(err, errChanged) {
		return unsettledCatalog(ctx)
	}
	return err
}

func (s *Store) inForce(ctx context.Context, now *current) error {
	if s.clock == nil || now.settled.Load() == s.clock.Index() {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, s.opts.WriteWait)
	defer cancel()
	for {
		x := s.clock.Index()
		if now.settled.Load() == x || !x.Streamed() || s.clock.Degraded(x) || mutant.CatalogUnheld {
			return nil
		}
		if now.epoch != x.Epoch() {
			// The primary alone tells what the catalog is in an epoch that is later than what is
			// known. An earlier one, of before a failover, is soon over.
			if !now.epoch.After(x.Epoch()) {
				if err := s.renew(wait, now); err != nil {
					if wait.Err() != nil {
						return unsettledCatalog(ctx)
					}
					return err
				}
			}
			again := s.now.Load()
			if again.cat != now.cat {
				return errChanged
			}
			if now = again; now.epoch != x.Epoch() && !s.clock.Await(wait, x) {
				return unsettledCatalog(ctx)
			}
			continue
		}
		look, stop := context.WithTimeout(wait, settleWait) // it may come to go on without a primary
		_, err := x.AwaitRelease(look, now.upper, []position.Tag{catalogTag})
		stop()
		switch {
		case err == nil:
			now.settled.Store(x)
			return nil
		case errors.Is(err, context.DeadlineExceeded) && wait.Err() == nil:
		case !errors.Is(err, position.ErrRetired):
			return unsettledCatalog(ctx)
		}
	}
}

func unsettledCatalog(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return &pando.Error{
		Kind:    pando.KindUnavailable,
		Message: "The collections are being changed, and not every server knows of it yet. Please try again in a moment.",
	}
}
