package consistency

import (
	"context"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pandobase/pando/test/target"
)

// check drives s, an empty server, for d, or until the first violation if eager
// is set, and reports what it found. An error is a run that means nothing.
func check(ctx context.Context, s *target.Server, d time.Duration, eager bool) (*report, error) {
	r := &report{}
	w, err := newWorld(ctx, s, r)
	if err != nil {
		return nil, err
	}
	defer w.root.close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if eager {
		r.stop = cancel
	}
	r.begun = time.Now()
	w.run(ctx)
	if pair := w.lists.check(); pair != nil {
		r.violation("two lists cannot both be snapshots: %v and %v", pair[0], pair[1])
	}
	if r.count > 0 && eager {
		return r, nil
	}
	verdicts, ops := w.sample.verdicts(10 * time.Second)
	for i, v := range verdicts {
		if v == porcupine.Illegal {
			r.violation("porcupine: the history of %s is not linearizable", counterID(i))
		}
	}
	r.second, r.secondOps = verdicts, ops
	return r, nil
}
