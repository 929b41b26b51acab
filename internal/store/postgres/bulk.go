package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/store"
)

var _ store.BulkTx = (*tx)(nil)

// InsertAll is Insert for each of recs, by COPY: the server reads rows, and plans
// and answers nothing for each. Values have the same form as those of an INSERT
// (plan.value), which for texts and JSON is the binary one as well.
func (t *tx) InsertAll(ctx context.Context, recs []*pando.Record) error {
	switch len(recs) {
	case 0:
		return ctx.Err()
	case 1:
		return t.Insert(ctx, recs[0])
	}
	if err := t.usable(ctx); err != nil {
		return err
	}
	p := t.s.plans.Of(recs[0].Collection)
	rows, err := p.copyRows(recs)
	if err != nil {
		return err
	}
	t.wrote = true
	if err := t.send(ctx, false, &query{sql: "SAVEPOINT guard"}); err != nil {
		return err
	}
	if err := t.copy(ctx, p, rows); err != nil {
		return t.refused(p.c, err)
	}
	t.queue = append(t.queue, &query{sql: "RELEASE guard"})
	for _, r := range recs {
		t.touch(p.c, r.ID())
		t.changes = append(t.changes, changes.Change{Action: changes.Create, Record: r})
	}
	t.found(recs...)
	return nil
}

// copy sends rows. Refused ones are undone, and the transaction goes on.
func (t *tx) copy(ctx context.Context, p *plan, rows []byte) error {
	t.c.trips++
	_, err := t.c.pg.CopyFrom(ctx, bytes.NewReader(rows), "COPY "+quote(p.c.Name)+" ("+p.columns+") FROM STDIN (FORMAT binary)")
	switch err = t.c.told(ctx, err); {
	case err == nil:
		return nil
	case !isPgError(err) || isLost(err):
		return t.lost(ctx, err)
	}
	return t.refusedAt(ctx, err, 0, 0, 0, true)
}

// copyRows is COPY's binary form of records.
func (p *plan) copyRows(recs []*pando.Record) ([]byte, error) {
	b := make([]byte, 0, 1024*len(recs))
	b = append(b, "PGCOPY\n\xff\r\n\x00"...)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // no flags, no more of a header
	for _, r := range recs {
		if r.Collection != p.c {
			return nil, fmt.Errorf("postgres: records of %s and %s are inserted together", p.c.Name, r.Collection.Name)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(p.forms)))
		for i, v := range r.Values {
			value, err := p.value(i, v)
			if err != nil {
				return nil, fmt.Errorf("record %s: %w", r.ID(), err)
			}
			if value == nil {
				b = binary.BigEndian.AppendUint32(b, 1<<32-1)
				continue
			}
			b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
			b = append(b, value...)
		}
	}
	return binary.BigEndian.AppendUint16(b, 1<<16-1), nil
}
