package store

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
)

// IsUnknown tells whether err, with which a Write ended, leaves open whether it was
// committed: the database said so, or failed in a way that has no kind. What hangs on
// the write has to be settled later then, by what the database shows.
func IsUnknown(err error) bool {
	if e, ok := errors.AsType[*pando.Error](err); ok && e.Kind != pando.KindInternal {
		return e.Data["outcome"] == "unknown"
	}
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
