package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// errAgain is what a reader says when fn has to be run again, for a reason that
// is nobody's business: it must not get out of this package.
var errAgain = errors.New("postgres: the transaction is run again")

const (
	// readTries is how often fn is run before its failure is believed.
	readTries = 4
	// movedTries is how often it is run because the collections change: that it is
	// too late each time takes changes which come as fast as one can read.
	movedTries = 50
)

// Read runs fn on one consistent snapshot.
func (s *Store) Read(ctx context.Context, fn func(store.Reader) error) error {
	// Where servers do not hear of each other's commits, all read what the primary
	// shows, and look each time whether they know the newest catalog.
	deafened := !s.alone && s.clock == nil && !s.opts.OneShot
	one := store.IsOne(ctx) && !deafened
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	if s.lease != nil && s.lease.lost.Load() {
		return takenOver("another Pando server")
	}
	var primary bool // nothing else will do any more
	began, moved, lost := time.Now(), 0, 0
	var front fronts
	exact := false
	for try := 1; ; try++ {
		r := &snapshot{one: one, floor: s.present().Safe()}
		if s.clock != nil {
			x, err := s.clock.Ready(ctx)
			if err != nil {
				return err
			}
			degraded := s.clock.Degraded(x)
			// Before F, which covers whatever S has come up to by now.
			shown := s.clock.Shown(x)
			// The lease has ended just now, or what made up for one.
			if unleased := degraded && position.NeedsLease(ctx) || !degraded && !x.Leased(); unleased && !mutant.Unleased {
				try--
				continue
			}
			if degraded { // there is no primary that it could be sent to
				primary, exact = false, false
			}
			r.stream = streamRead{x: x, front: front.of(x, degraded), again: try > 1 && !exact, began: began, exact: exact}
			if degraded {
				r.stream.withoutLease(shown)
			} else {
				r.stream.beyond(position.Token{Timeline: shown.Timeline, N: shown.Blind})
			}
			r.stream.seen(ctx)
			if r.stream.later > 0 && !degraded {
				// It is not the index of the newest primary, and has a lease for a moment still.
				if err := s.awaitAnother(ctx, x); err != nil {
					return err
				}
				front = fronts{}
				try--
				continue
			}
			// A client that has seen more than this server knows may have seen newer rules.
			r.primary, r.one = exact || r.unleased(), r.one && !exact && !(degraded && r.stream.least > 0)
		}
		r.primary = r.primary || primary || deafened || try == readTries-1 && !r.stream.degraded
		now := s.now.Load()
		r.reader = reader{asker: r, s: s, cat: now.cat}
		if s.coming.Load() > 0 {
			r.one = false // the snapshot has to tell which catalog it shows
		}
		err := fn(r)
		r.end()
		if r.again == nil && s.clock != nil {
			if held := r.releaseRead(ctx); held != nil && r.again == nil {
				return held
			}
			if r.again == nil {
				if held := s.inForce(ctx, now); errors.Is(held, errChanged) {
					r.again = held
				} else if held != nil {
					return held
				}
			}
			if r.again == nil && r.asked && s.Catalog() != r.cat {
				// What was read may show a change of the rules that had not come here
				// when they were looked at. By now it has.
				r.again = errChanged
			}
		}
		if r.again == nil {
			return err
		}
		if cause := ctx.Err(); cause != nil {
			return cause
		}
		if (errors.Is(r.again, errMoved) || errors.Is(r.again, errChanged) || errors.Is(r.again, errTorn)) && moved < movedTries {
			moved++
			try--
		}
		inTime := time.Since(began) < s.opts.WriteWait
		settles := errors.Is(r.again, errSettles)
		if settles && !r.stream.degraded {
			exact = true
			try--
		}
		if errors.Is(r.again, errDegraded) && inTime { // it was not so before
			try--
		}
		if errors.Is(r.again, position.ErrRetired) {
			front = fronts{} // positions of another index, perhaps of another epoch
		}
		// Without a lease, one that calls itself the primary is no more than one that comes and goes.
		gone := isLost(r.again) || s.clock != nil && (errors.Is(r.again, errNotWhatItWas) || errors.Is(r.again, position.ErrRetired) || settles && r.stream.degraded)
		if gone && inTime {
			try-- // a node that comes and goes is waited for like one that is gone
			lost++
			if err := pause(ctx, lost); err != nil {
				return err
			}
		}
		if try == readTries || errors.Is(r.again, errReplaying) {
			return givenUp(r.again)
		}
		one = one && r.one
		primary = r.primary
		if errors.Is(r.again, errMoved) && s.Catalog() == r.cat && !r.behind {
			if err := s.renew(ctx, now); err != nil {
				return err
			}
			if s.clock != nil && s.Catalog() == r.cat { // nobody has, or it is not shown yet
				if moved++; moved > movedTries/5 {
					return givenUp(r.again)
				}
				if err := pause(ctx, moved); err != nil {
					return err
				}
			}
		}
	}
}

var (
	// errMoved says that the database has a catalog that we do not know.
	errMoved = errors.New("the collections were changed meanwhile")
	// errChanged says that there is a newer catalog than a read began with.
	errChanged = errors.New("the collections were changed while something was read")
)
