package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

const (
	// writeTries is how often a transaction is run before its failure is believed;
	// from aloneFrom on it is alone, so that it cannot lose to others for ever.
	writeTries = 12
	aloneFrom  = 4

	retryPause = 2 * time.Millisecond // before the first other try; grows
)

// Write runs fn in a transaction.
func (s *Store) Write(ctx context.Context, fn func(store.Tx) error) (position.N, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.running.Done()
	var m mode
	began, conflicts, moved := time.Now(), 0, 0
	for try := 1; ; try++ {
		r := s.attempt(ctx, m, fn)
		if r.again == nil {
			return r.pos, unavailable(r.err) // whatever way it came
		}
		if errors.Is(r.again, errMoved) && moved < movedTries && time.Since(began) < s.opts.WriteWait {
			moved++ // others change the schema, one after the other
			try--
		}
		locked := codeOf(r.again) == codeLockTimeout // somebody keeps a row, and may do so for long
		switch waited := time.Since(began) >= s.opts.WriteWait; {
		case try == writeTries || locked && waited:
			return 0, givenUp(r.again)
		case locked:
			try--
		}
		s.stats.retries.Add(1)
		m.careful = m.careful || r.how.careful
		if r.how.alone {
			m.alone, m.turn = true, false
		}
		switch {
		case errors.Is(r.again, errMoved):
			if err := s.renew(ctx, r.under); err != nil {
				return 0, err
			}
			if now := s.now.Load(); now.gate == r.under.gate { // it was not: a trigger has left the row out
				m.careful = true
			}
		case r.how == mode{}:
			conflicts++
			switch {
			case locked && m.turn: // another program does
				m.alone, m.turn = false, false
				s.crowded.Store(time.Now().Add(turnPause).UnixNano())
			case conflicts >= aloneFrom && !m.alone && time.Now().UnixNano() >= s.crowded.Load():
				m.alone, m.turn = true, true
			}
			if err := pause(ctx, conflicts); err != nil {
				return 0, err
			}
		}
	}
}

// pause waits a moment, longer each time and never as long as others do.
func pause(ctx context.Context, n int) error {
	most := retryPause << min(n-1, 5)
	timer := time.NewTimer(most/4 + rand.N(most))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// result is how one run of a transaction ended.
type result struct {
	pos   position.N
	err   error
	again error // it has to be run again, because of this
	how   mode
	under *current // which it went by
}

// attempt runs fn once. It has a goroutine of its own, so that an answer to
// COMMIT that does not come keeps nobody waiting for ever, and fn may end its
// goroutine as a test's t.Fatal does.
func (s *Store) attempt(ctx context.Context, m mode, fn func(store.Tx) error) result {
	done := make(chan result, 1)
	committing := make(chan struct{})
	s.unknown.Go(func() {
		t := s.newTx(ctx, m)
		finished := false
		defer func() {
			if !finished { // runtime.Goexit
				t.undo()
				done <- result{err: errors.New("postgres: the function given to Write ended its goroutine")}
			}
		}()
		err := call(fn, t)
		r := t.finish(err, committing)
		r.under = t.now
		finished = true
		done <- r
	})
	select {
	case r := <-done:
		return r
	case <-committing:
	}
	timer := time.NewTimer(s.opts.WriteWait)
	defer timer.Stop()
	select {
	case r := <-done:
		return r
	case <-timer.C:
		return result{err: unknownOutcome(fmt.Errorf("no answer to COMMIT within %s", s.opts.WriteWait))}
	}
}

// unknownOutcome says that a write may have been made or not.
func unknownOutcome(err error) error {
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "The connection to the database was lost while your change was being saved. It may have been saved or not: please check.",
		Data:    pando.FieldErrors{"outcome": "unknown"},
	}
}

// call runs fn; a panic becomes an error.
func call(fn func(store.Tx) error, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &pando.Error{
				Kind: pando.KindInternal, Message: "Something went wrong while processing your request.",
				Err: fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack()),
			}
		}
	}()
	return fn(t)
}

// finish commits what fn did, or undoes it.
func (t *tx) finish(err error, committing chan<- struct{}) result {
	if t.again == nil && err == nil && t.broken != nil {
		t.restart(t.broken, mode{careful: true}) // fn did not mind the failure
	}
	if t.again == nil && t.guesses > 0 && t.ctx.Err() == nil && (err != nil || !t.wrote) {
		t.restart(errGuessed, mode{careful: true}) // nothing is sent that would tell
	}
	if t.again == nil && err == nil {
		err = t.ctx.Err()
	}
	if t.again != nil || err != nil {
		t.undo()
		if t.again == nil {
			t.s.awaitSeen(t.ctx, t.seen)
		}
		return result{err: err, again: t.again, how: t.how}
	}
	t.ended = true
	if !t.wrote {
		return t.finishReading()
	}
	return t.commit(committing)
}

// finishReading ends a transaction without changes: PostgreSQL says with COMMIT
// whether what it saw is serial with the others.
func (t *tx) finishReading() result {
	var err error
	if t.begun {
		err = t.leave(commitQuery())
	}
	t.release()
	t.s.awaitSeen(t.ctx, t.seen)
	switch code := codeOf(err); {
	case err == nil:
		return result{pos: t.s.present().Frontier()}
	case code == codeSerialization || code == codeDeadlock || isLost(err):
		return result{again: err}
	}
	return result{err: err}
}

// errGuessed says that fn was told what nobody has looked at.
var errGuessed = errors.New("postgres: what was supposed has not been looked at")

// undo rolls back.
func (t *tx) undo() {
	t.ended = true
	if t.c == nil {
		return
	}
	if t.newGate > 0 {
		t.s.publish(&current{cat: t.now.cat, gate: t.newGate, epoch: t.now.epoch, upper: t.now.upper})
		t.c.forget() // statements for tables that are not there
	}
	if !t.c.broken() && t.c.pg.TxStatus() != 'I' {
		if err := t.leave(&query{sql: "ROLLBACK"}); err != nil && !isLost(err) {
			t.s.log.Error("rollback failed", "err", err)
		}
	}
	t.release()
}

// leave ends a transaction that is not kept. A client that keeps positions is told
// how far what it saw may go.
func (t *tx) leave(q *query) error {
	ctx, cancel := context.WithTimeout(context.Background(), t.s.opts.WriteWait)
	defer cancel()
	session := position.SessionOf(t.ctx)
	if session == nil && t.s.clock == nil {
		return t.c.run(ctx, q)
	}
	var at where
	err := t.c.run(ctx, q, at.query(t.node))
	if err == nil {
		t.seen = max(t.seen, at.n)
		t.s.given(t.ctx, at.timeline, at.n)
	}
	return err
}

func (t *tx) release() {
	if t.c != nil {
		t.node.release(t.c)
		t.c = nil
	}
}

// commit sends what was put off and COMMIT, and everybody who has to know is
// told, in this order: pending tags before, then the catalog, the position and
// the changes.
func (t *tx) commit(committing chan<- struct{}) result {
	if err := t.connect(); err != nil {
		return result{err: err}
	}
	if !t.begun && !t.mode.alone && (t.c.unnamed || made(t.changes) == nil) {
		// Nothing would tell what became of it if the connection were lost.
		if err := t.send(t.ctx, false); err != nil {
			return t.finish(err, committing)
		}
	}
	f := &flight{
		horizon: t.horizon, inserts: t.inserts, blind: t.blind, all: t.all, read: t.read, saw: t.saw,
		tags:  append(t.tags, position.AllTag),
		batch: changes.Batch{Changes: t.changes, Catalog: t.catalog, Unlisted: t.all},
	}
	if t.catalog {
		version, _ := argument(int64(t.cat.Version))
		t.queue = append(t.queue, &query{sql: "UPDATE _pando_meta SET catalog = $1", args: [][]byte{version}})
		f.tags = append(f.tags, catalogTag)
		t.s.coming.Add(1)
		defer t.s.coming.Add(-1)
	}
	var open []*query
	gated := t.oneGo()
	if gated {
		t.pid = strconv.FormatUint(uint64(t.c.pg.PID()), 10)
		t.gateQueue()
	} else {
		open = t.opening(t.s.clock != nil)
	}
	all := append(open, t.queue...)
	own := len(all)
	var at where
	commit := commitQuery()
	if gated {
		commit = all[own-1] // which is its own
	} else {
		all = append(all, commit)
	}
	if !t.s.nodes.sole() || position.SessionOf(t.ctx) != nil || t.s.clock != nil {
		all = append(all, at.query(t.node))
	}
	if t.s.clock != nil {
		f.index = t.s.clock.Index()
		f.departed = f.index.Frontier()
	}
	t.keepOwn(f)
	t.s.commits.depart(f)
	close(committing)
	t.c.waited = false
	t.c.hold.Store(true)
	err := t.c.run(context.Background(), all...)
	t.c.hold.Store(false)
	switch {
	case err == nil && gated && t.queue[0].rows() == 0: // the gate was another one, or a guess was wrong
		t.s.commits.crash(f)
		t.undo()
		return result{again: errMoved, how: mode{careful: t.guesses > 0}}
	case err == nil && !t.c.waited && (gated || commit.tag.String() == "COMMIT"):
		return t.committed(f, at)
	case err != nil && !commit.ran && (isPgError(err) && !isLost(err) || pgconn.SafeToRetry(err)): // refused, so rolled back, or not sent
		t.s.commits.crash(f)
		return t.notCommitted(err, all, len(open), own)
	}
	if commit.ran && t.c.waited { // it is made, and may yet be taken back
		f.unsure = true
		t.s.commits.land(f, at.timeline, at.n, func() { t.published(at) })
		t.release()
		return result{err: unknownOutcome(errors.New("the standby has not confirmed it"))}
	}
	return t.settle(f, err)
}

// committed tells everybody.
func (t *tx) committed(f *flight, at where) result {
	s := t.s
	if s.clock != nil {
		t.release() // others need the connection while this one waits
		f.xid = t.number()
		t.keepOwn(f) // what was sent in one go has learned its number only now
	}
	n := s.commits.land(f, at.timeline, at.n, func() { t.published(at) })
	s.stats.writes.Add(1)
	s.given(t.ctx, at.timeline, min(n, at.n)) // the log is not beyond that: who has it all has this
	t.release()
	return result{pos: n}
}

// published is called when the commit is known, before anybody is told.
func (t *tx) published(at where) {
	if !t.catalog {
		return
	}
	next := &current{cat: t.cat, gate: t.newGate, epoch: t.now.epoch, upper: at.n}
	if t.s.clock != nil {
		next.epoch.Timeline = at.timeline
	}
	t.s.catalogs.Add(t.cat)
	t.s.publish(next)
}

// notCommitted is a transaction that PostgreSQL refused with its last statements.
func (t *tx) notCommitted(err error, all []*query, open, own int) result {
	at := 0
	for at < len(all) && all[at].ran {
		at++
	}
	t.ended = false
	if !isPgError(err) {
		t.node.failed(err)
		t.undo()
		return result{again: err}
	}
	_ = t.refusedAt(t.ctx, err, open, own, at, false)
	failed := t.broken
	t.undo()
	if t.again != nil {
		return result{again: t.again, how: t.how}
	}
	return result{err: failed}
}
