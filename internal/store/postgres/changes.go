package postgres

import (
	"context"
	"fmt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// change puts a statement off, or runs it if the transaction is a careful one.
func (t *tx) change(ctx context.Context, q *query) error {
	t.wrote = true
	if t.mode.careful {
		return t.send(ctx, true, q)
	}
	t.queue = append(t.queue, q)
	for _, a := range q.args {
		t.weight += len(a)
	}
	if len(t.queue) >= batchMost || t.weight >= batchBytes {
		return t.send(ctx, false)
	}
	return nil
}

// touch notes that a record of c changed.
func (t *tx) touch(c *pando.Collection, id string) {
	t.touchTable(c)
	t.tags = append(t.tags, position.RecordTag(c.ID, id))
}

// touchTable notes that records of c changed.
func (t *tx) touchTable(c *pando.Collection) {
	tag := position.TableTag(c.ID)
	if n := len(t.tags); n > 1 && t.tags[n-2] == tag {
		return // the record before was of the same table
	}
	t.tags = append(t.tags, tag)
}

// Insert adds a record.
func (t *tx) Insert(ctx context.Context, r *pando.Record) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	p := t.s.plans.Of(r.Collection)
	args := make([][]byte, len(r.Values))
	for i, v := range r.Values {
		var err error
		if args[i], err = p.value(i, v); err != nil {
			return err
		}
	}
	if err := t.change(ctx, &query{sql: p.insert, args: args, formats: p.formats, gated: p.gated}); err != nil {
		return t.refused(r.Collection, err)
	}
	t.touch(r.Collection, r.ID())
	t.found(r)
	t.changes = append(t.changes, changes.Change{Action: changes.Create, Record: r})
	return nil
}

// Update replaces old by r.
func (t *tx) Update(ctx context.Context, old, r *pando.Record) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	p := t.s.plans.Of(r.Collection)
	if old.ID() != r.ID() {
		return fmt.Errorf("postgres: update of %s cannot change the id", r.Collection.Name)
	}
	q, err := p.updateQuery(old, r)
	if err != nil {
		return err
	}
	switch {
	case q == nil && !t.known[old]: // nothing changes, if it is there at all
		found, err := t.record(ctx, p, r.ID())
		if err != nil {
			return t.failed(r.Collection, err)
		}
		if found == nil {
			return pando.NotFound()
		}
	case q != nil:
		if err := t.changeOne(ctx, t.known[old], q); err != nil {
			return t.refused(r.Collection, err)
		}
	}
	// It is a change all the same: hooks and followers are told of it.
	if q == nil { // who follow the log, by a word in it
		word := p.held
		if t.s.clock != nil {
			word = p.touched
		}
		if err := t.change(ctx, &query{sql: word, args: texts(r.ID())}); err != nil {
			return t.refused(r.Collection, err)
		}
	}
	t.wrote, t.inserts = true, false
	t.touch(r.Collection, r.ID())
	t.found(r)
	t.changes = append(t.changes, changes.Change{Action: changes.Update, Record: r, Old: old})
	return nil
}

// updateQuery sets what differs; nil if nothing does.
func (p *plan) updateQuery(old, r *pando.Record) (*query, error) {
	var bits [32]byte
	changed := bits[:0]
	var args [][]byte
	for i, v := range r.Values {
		if i%8 == 0 {
			changed = append(changed, 0)
		}
		if store.SameValue(old.Values[i], v) {
			continue
		}
		changed[i/8] |= 1 << (i % 8)
		arg, err := p.value(i, v)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if len(args) == 0 {
		return nil, nil
	}
	id, err := argument(r.ID())
	if err != nil {
		return nil, err
	}
	u := p.update(changed)
	return &query{sql: u.sql, args: append(args, id), formats: u.formats}, nil
}

// changeOne changes one record, which must be there. If it is for certain, the
// statement can be put off.
func (t *tx) changeOne(ctx context.Context, there bool, q *query) error {
	if there && !t.mode.careful {
		return t.change(ctx, q)
	}
	t.wrote, t.blind = true, false
	if err := t.send(ctx, t.mode.careful, q); err != nil {
		return err
	}
	if q.rows() == 0 {
		return pando.NotFound()
	}
	return nil
}

// Delete removes a record.
func (t *tx) Delete(ctx context.Context, r *pando.Record) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	p := t.s.plans.Of(r.Collection)
	id, err := argument(r.ID())
	if err != nil {
		return err
	}
	sql := p.delete
	if t.s.opts.AnnounceDeletes {
		sql = p.announced
	}
	if err := t.changeOne(ctx, t.known[r], &query{sql: sql, args: [][]byte{id}}); err != nil {
		return t.refused(r.Collection, err)
	}
	t.known, t.inserts = nil, false
	t.touch(r.Collection, r.ID())
	t.changes = append(t.changes, changes.Change{Action: changes.Delete, Record: r, Prepared: changes.Prepared(ctx)})
	return nil
}

// Truncate removes all records of a collection. (TRUNCATE itself would take them
// from older snapshots as well.)
func (t *tx) Truncate(ctx context.Context, c *pando.Collection) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	if err := t.change(ctx, &query{sql: "DELETE FROM " + quote(c.Name)}); err != nil {
		return t.refused(c, err)
	}
	if t.s.opts.AnnounceDeletes {
		if err := t.change(ctx, emptiedQuery(c.ID)); err != nil {
			return t.refused(c, err)
		}
	}
	t.known, t.inserts, t.all = nil, false, true
	return nil
}

// SetParam stores a value that is no record.
func (t *tx) SetParam(ctx context.Context, key string, value []byte) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	t.inserts = false
	t.tags = append(t.tags, paramTag(key))
	q := &query{sql: "DELETE FROM _pando_params WHERE key = $1", args: textArgs([]string{key})}
	if value != nil {
		q = &query{
			sql:     "INSERT INTO _pando_params VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
			args:    [][]byte{textBytes(key), value},
			formats: []int16{0, 1},
		}
	}
	return unavailable(t.change(ctx, q))
}
