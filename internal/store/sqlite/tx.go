package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// tx is one job's part of the writer's transaction.
type tx struct {
	reader
	w       *writer
	saved   bool // a savepoint was set: something may have been written
	before  *store.Catalog
	changes []changes.Change
	touched touched
	deltas  map[string]int64
	remade  []string // ids of tables made or dropped
	catalog bool     // collections or settings changed
	broken  error    // the transaction cannot be kept
}

var _ store.Tx = (*tx)(nil)

func newTx(w *writer) *tx {
	return &tx{
		reader: reader{s: w.s, c: w.c, meta: meta{csn: w.csn, catalog: w.group.cat.Version}, cat: w.group.cat, inTx: true},
		w:      w, before: w.group.cat,
	}
}

// write readies the transaction for a change. The savepoint is set with the
// first one: a job that fails before has nothing to undo.
func (t *tx) write(ctx context.Context) error {
	if err := t.use(ctx); err != nil {
		return err
	}
	// A write that is interrupted would end everybody's transaction, so
	// writes run to their end.
	t.c.ctx = nil
	if t.saved {
		return nil
	}
	if err := t.c.exec("SAVEPOINT job"); err != nil {
		return unavailable(err)
	}
	t.saved = true
	return nil
}

// keep makes what the job did part of the group.
func (t *tx) keep() error {
	if !t.saved {
		return nil
	}
	if err := t.c.exec("RELEASE job"); err != nil {
		return err
	}
	w, g := t.w, &t.w.group
	w.csn++
	g.dirty = true
	g.cat = t.cat
	g.batches = append(g.batches, changes.Batch{
		Position: position.N(w.csn), Changes: t.changes, Catalog: t.catalog, Unlisted: t.touched.all,
	})
	g.touched = append(g.touched, t.touched)
	if g.deltas == nil {
		g.deltas = make(map[string]int64)
	}
	for id, d := range t.deltas {
		g.deltas[id] += d
	}
	g.remade = append(g.remade, t.remade...)
	return nil
}

// undo takes back what the job did.
func (t *tx) undo() error {
	if !t.saved {
		return nil
	}
	if err := t.c.exec("ROLLBACK TO job"); err != nil {
		return err
	}
	return t.c.exec("RELEASE job")
}

// whole runs a change of several statements, all of which are kept or none: fn
// may go on with the transaction after an error.
func (t *tx) whole(change func() error) error {
	if err := t.c.exec("SAVEPOINT step"); err != nil {
		return unavailable(err)
	}
	cat, catalog, remade, touched := t.cat, t.catalog, len(t.remade), t.touched
	err := change()
	if err == nil {
		return unavailable(t.c.exec("RELEASE step"))
	}
	t.cat, t.catalog, t.remade, t.touched = cat, catalog, t.remade[:remade], touched
	if t.c.inTransaction() {
		t.broken = errors.Join(t.c.exec("ROLLBACK TO step"), t.c.exec("RELEASE step"))
	}
	return err
}

// touch notes that a record of c changed, and the number of records by delta.
func (t *tx) touch(c *pando.Collection, id string, delta int64) {
	t.touchTable(c)
	t.touched.tags = append(t.touched.tags, position.RecordTag(c.ID, id))
	t.count(c, delta)
}

// touchTable notes that records of c changed.
func (t *tx) touchTable(c *pando.Collection) {
	tag := position.TableTag(c.ID)
	if n := len(t.touched.tags); n > 1 && t.touched.tags[n-2] == tag {
		return // the record before was of the same table
	}
	t.touched.tags = append(t.touched.tags, tag)
}

func (t *tx) count(c *pando.Collection, delta int64) {
	if delta == 0 {
		return
	}
	if t.deltas == nil {
		t.deltas = make(map[string]int64, 1)
	}
	t.deltas[c.ID] += delta
}

// Insert adds a record.
func (t *tx) Insert(ctx context.Context, r *pando.Record) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	p := t.s.plans.Of(r.Collection)
	q, err := t.c.prepare(p.insert)
	if err != nil {
		return t.failed(r.Collection, err)
	}
	defer q.reset()
	for i, v := range r.Values {
		if err := p.bindValue(q, i, i, v); err != nil {
			return err
		}
	}
	if _, err := q.step(); err != nil {
		return t.refused(r.Collection, err)
	}
	t.touch(r.Collection, r.ID(), 1)
	t.changes = append(t.changes, changes.Change{Action: changes.Create, Record: r})
	return nil
}

// Update replaces old by r.
func (t *tx) Update(ctx context.Context, old, r *pando.Record) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	p := t.s.plans.Of(r.Collection)
	if old.ID() != r.ID() {
		return fmt.Errorf("sqlite: update of %s cannot change the id", r.Collection.Name)
	}
	var bits [32]byte
	changed := bits[:0]
	differs := false
	for i, v := range r.Values {
		if i%8 == 0 {
			changed = append(changed, 0)
		}
		if !store.SameValue(old.Values[i], v) {
			changed[i/8] |= 1 << (i % 8)
			differs = true
		}
	}
	if !differs {
		return t.unchanged(p, old, r)
	}
	q, err := t.c.prepare(p.update(changed))
	if err != nil {
		return t.failed(r.Collection, err)
	}
	defer q.reset()
	param := 0
	for i, v := range r.Values {
		if changed[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		if err := p.bindValue(q, param, i, v); err != nil {
			return err
		}
		param++
	}
	q.bindText(param, r.ID())
	if _, err := q.step(); err != nil {
		return t.refused(r.Collection, err)
	}
	if t.c.changed() == 0 {
		return pando.NotFound()
	}
	t.updated(old, r)
	return nil
}

// unchanged is an update that changes no column. It is a change all the same:
// hooks and followers are told of it.
func (t *tx) unchanged(p *plan, old, r *pando.Record) error {
	found, err := t.record(p, r.ID())
	if err != nil {
		return t.failed(r.Collection, err)
	}
	if found == nil {
		return pando.NotFound()
	}
	t.updated(old, r)
	return nil
}

func (t *tx) updated(old, r *pando.Record) {
	t.touch(r.Collection, r.ID(), 0)
	t.changes = append(t.changes, changes.Change{Action: changes.Update, Record: r, Old: old})
}

// Delete removes a record.
func (t *tx) Delete(ctx context.Context, r *pando.Record) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	p := t.s.plans.Of(r.Collection)
	if err := t.c.exec(p.delete, r.ID()); err != nil {
		return t.failed(r.Collection, err)
	}
	if t.c.changed() == 0 {
		return pando.NotFound()
	}
	t.touch(r.Collection, r.ID(), -1)
	t.changes = append(t.changes, changes.Change{Action: changes.Delete, Record: r, Prepared: changes.Prepared(ctx)})
	return nil
}

// Truncate removes all records of a collection.
func (t *tx) Truncate(ctx context.Context, c *pando.Collection) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	if err := t.c.exec("DELETE FROM " + quote(c.Name)); err != nil {
		return t.failed(c, err)
	}
	t.touched.all = true
	t.count(c, -t.c.changed())
	return nil
}

// SetParam stores a value that is no record.
func (t *tx) SetParam(ctx context.Context, key string, value []byte) error {
	if err := t.write(ctx); err != nil {
		return err
	}
	if value == nil {
		return unavailable(t.c.exec("DELETE FROM _pando_params WHERE key = ?", key))
	}
	return unavailable(t.c.exec("INSERT INTO _pando_params VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value))
}
