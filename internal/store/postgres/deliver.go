package postgres

import (
	"context"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Batch is what followers are told of an entry of the log. What was committed here is
// known best here; of others' commits the log has it. Where that has left out a large
// value, the record is read as it is now, if whole says that somebody wants to know.
// A record that is gone meanwhile is told of by its own entry.
//
// Of what is listed nowhere it says in which collections that is. It does not know of a
// record that another program has deleted, of which the log has no more than its id, nor
// of TRUNCATE.
func (s *Store) Batch(ctx context.Context, by position.Run, e changes.Entry, whole func() bool) changes.Batch {
	b := changes.Batch{Position: e.N, Run: by, Catalog: e.Catalog, Unlisted: e.Unlisted || e.All, Gap: e.Gap}
	if b.Changes = s.commits.own.take(ownKey{by, e.XID}); b.Changes != nil {
		return b
	}
	b.Elsewhere = true
	if e.Unlisted && len(e.Rows) == 0 { // there were too many, or they were too large
		b.Missed = s.changedIn(e.Tags)
	}
	for _, row := range e.Rows {
		rec, complete, err := s.DecodeRow(row)
		if err == nil && !complete && whole() {
			if rec, err = s.asItIs(ctx, row, rec); err != nil && pando.KindOf(err) != pando.KindNotFound {
				s.log.Warn("a change cannot be told of, since its record cannot be read", "collection", row.Collection, "record", row.ID, "err", err)
				b.Missed = append(b.Missed, row.Collection)
			}
		}
		if err != nil || rec == nil {
			b.Unlisted = true
			continue
		}
		b.Changes = append(b.Changes, changes.Change{Action: row.Action, Record: rec})
	}
	return b
}

// changedIn is the collections whose tables are among tags.
func (s *Store) changedIn(tags []position.Tag) (ids []string) {
	for _, c := range s.Catalog().Collections {
		if slices.Contains(tags, position.TableTag(c.ID)) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// asItIs reads a record of which the log does not say everything, as it is now, which
// may be newer. The columns that the log has are not put in: nobody may be judged by, or
// shown, a record that never was. A deleted one cannot be read.
func (s *Store) asItIs(ctx context.Context, row changes.Row, rec *pando.Record) (now *pando.Record, err error) {
	if row.Action == changes.Delete {
		return nil, nil
	}
	err = s.Read(store.One(ctx), func(r store.Reader) error {
		now, err = r.Record(ctx, rec.Collection, row.ID)
		return err
	})
	return now, err
}
