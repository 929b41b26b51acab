package store

import (
	"context"
	"slices"

	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/rule"
)

// Rememberer is an ability of some Readers: to know, without searching again,
// that a search finds what it found. Who asks must do without it as well.
type Rememberer interface {
	// Unchanged tells whether Find answers q, which is OwnOnly, with the very
	// records, as they are, and the total that it gave in a snapshot stamped
	// since. False is always allowed.
	Unchanged(ctx context.Context, q Query, since position.N) (bool, error)
}

// OwnOnly tells whether the answer to q hangs on the records of its collection
// alone, each judged and sorted by itself, and not on the time nor on chance.
func (q Query) OwnOnly() bool {
	if q.Collection.IsView() || q.Virtual != nil || q.After != "" {
		return false
	}
	local := func(r *rule.Rule) bool { return r.Local() && !r.Volatile() }
	return !slices.ContainsFunc(q.Where, func(w Condition) bool { return !local(w.Rule) }) &&
		!slices.ContainsFunc(q.Sort, func(k rule.SortKey) bool { return k.Random || k.Key() != nil && !local(k.Key()) })
}
