package postgres

import (
	"context"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Batch is what followers are told of an entry of the log. What was committed here is
// known best here; of others' commits the log has it. Where that has left out a large
// value, the record is read as it is now, if whole says that somebody wants to know.
// A record that is gone meanwhile is told of by its own entry.
func (s *Store) Batch(ctx context.Context, by position.Run, e changes.Entry, whole func() bool) changes.Batch {
	b := changes.Batch{Position: e.N, Catalog: e.Catalog, Unlisted: e.Unlisted || e.All}
	if b.Changes = s.commits.own.take(ownKey{by, e.XID}); b.Changes != nil {
		return b
	}
	for _, row := range e.Rows {
		rec, complete, err := s.DecodeRow(row)
		if err == nil && !complete && whole() {
			rec, err = s.asItIs(ctx, row, rec)
		}
		if err != nil || rec == nil {
			b.Unlisted = true
			continue
		}
		b.Changes = append(b.Changes, changes.Change{Action: row.Action, Record: rec})
	}
	return b
}

// asItIs reads a record of which the log does not say everything. A deleted one
// cannot be read.
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
