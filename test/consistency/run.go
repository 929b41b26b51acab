package consistency

import (
	"context"
	"errors"
	"sync"
	"time"
)

// limit is how long a run lasts.
type limit struct {
	time       time.Duration                    // or longer by patience at most, see least
	operations int64                            // or until as many were checked; 0: that does not count
	eager      bool                             // or until the first violation
	least      map[string]int64                 // of what there must be how much: see [report.lacks]
	log        func(format string, args ...any) // how far it is, each minute, and what was found; may be nil
}

// patience is how much longer a run goes on while there is less than there must be: how much
// is done in a time is up to the machine.
const patience = 3 * time.Minute

// reached tells whether a run is at its end.
func (l limit) reached(r *report) bool {
	if l.operations > 0 && r.operations() >= l.operations {
		return true
	}
	return time.Since(r.begun) >= l.time && len(r.lacks(l.least)) == 0
}

// check drives the server of g, which is empty, and reports what it found. An
// error is a run that means nothing.
func check(ctx context.Context, g ground, l limit) (r *report, err error) {
	r = &report{log: l.log}
	if g.begun != nil {
		g.begun(r)
	}
	w, err := newWorld(ctx, g, r)
	if err != nil {
		return nil, err
	}
	defer w.root.close()
	ctx, cancel := context.WithTimeout(ctx, l.time+patience)
	defer cancel()
	if l.eager {
		r.stop = cancel
	}
	r.begun = time.Now()
	go func() {
		for ctx.Err() == nil && !l.reached(r) {
			pause(ctx, 10*time.Millisecond)
		}
		cancel()
	}()
	var watching sync.WaitGroup
	if l.log != nil {
		watching.Go(func() {
			for pause(ctx, time.Minute); ctx.Err() == nil; pause(ctx, time.Minute) {
				l.log("%d operations so far", r.operations())
			}
		})
	}
	var log *oracle
	if g.log != nil {
		if err := g.log.make(); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, g.log.drop()) }()
		log = w.newOracle(g.log)
		watching.Go(func() { log.follow(ctx) })
	}
	var judging sync.WaitGroup
	judging.Go(w.sample.Judge)
	w.run(ctx)
	w.sample.End()
	watching.Wait()
	judging.Wait()
	r.took = time.Since(r.begun)
	w.repeats.check(w)
	if pair := w.lists.Check(); pair != nil {
		r.violation("two lists cannot both be snapshots: %v and %v", pair[0], pair[1])
	}
	if r.count > 0 && l.eager {
		return r, nil
	}
	for _, no := range w.sample.Illegal {
		r.violation("porcupine: the history of %s is not linearizable from %v on", counterID(no.Record), time.Duration(no.From))
	}
	r.second = w.sample.Opinion
	if log != nil {
		err = log.check()
	}
	return r, err
}
