package records

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/store"
)

// answer is what a fact of a read holds: the body, or why there is none. It is
// shared.
type answer struct {
	body  pando.Answer
	err   *pando.Error // a verdict (not found, not allowed): as good a fact as a body
	empty bool         // a page without items
}

// overhead is what an answer weighs beside its body, in bytes.
const overhead = 160

func (a *answer) size(volatile bool) int {
	if volatile {
		return -1
	}
	return len(a.body) + overhead
}

// verdict makes a fact of a failure that follows from the data, and leaves every
// other error what it is.
func verdict(err error) (*answer, error) {
	e, ok := errors.AsType[*pando.Error](err)
	if !ok || e.Kind != pando.KindNotFound {
		return nil, err
	}
	return &answer{err: e}, nil
}

// read asks for the answer that k names, made by fill. The answer of an unkeyed
// read is never kept.
func (s *Records) read(
	ctx context.Context, ps *plans, k *key, keyed bool, sh *shape,
	fill func(context.Context, store.Reader) (*answer, error),
) (*answer, error) {
	facts := s.facts
	if !keyed {
		facts = store.Direct{Store: s.store}
	}
	if mutant.KeyCollide {
		k.collide()
	}
	v, err := facts.Read(ctx, k.b, func(ctx context.Context, r store.Reader) (any, int, error) {
		if err := moved(r, ps.catalog); err != nil {
			return nil, 0, err
		}
		a, err := fill(ctx, r)
		if err != nil {
			return nil, 0, err
		}
		return a, a.size(sh.volatile), nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*answer), nil
}
