package cached

import (
	"context"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// sameAs is how a fill finds out that it would make the value of old once more;
// nil if that cannot be.
//
// Most writes to a table do not touch what a given filtered list shows, but its
// tag changes with all of them. A fill reads from nothing but its Reader and what
// is in the key, so under one key its first read is the same question each time.
// If the store knows that the answer is the same as in old's snapshot, if old
// read that table by this question only, and if nothing else that it read has
// changed, then every later read would be answered as it was then, and the value
// is old's.
func (f *Facts) sameAs(ctx context.Context, r store.Reader, old *cache.Fact) func(store.Query) bool {
	if old == nil || old.Search == 0 {
		return nil
	}
	m, ok := r.(store.Rememberer)
	if !ok {
		return nil
	}
	return func(q store.Query) bool {
		// The index is asked after the snapshot was opened: whatever that
		// holds has been noted there.
		x := f.clock.Index()
		if old.Epoch != x.Epoch() || !x.Valid(old.S, others(old)) {
			return false
		}
		same, err := m.Unchanged(ctx, q, old.S)
		return err == nil && same || mutant.StillAnyway
	}
}

// others are the tags of a fact besides that of its search.
func others(f *cache.Fact) []position.Tag {
	tags := make([]position.Tag, 0, len(f.Tags))
	for _, t := range f.Tags {
		if t != f.Search {
			tags = append(tags, t)
		}
	}
	return tags
}
