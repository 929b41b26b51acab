package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// What is put off at most: statements, and bytes of their values.
const (
	batchMost  = 128
	batchBytes = 1 << 20
)

// tx is one run of a function given to Write.
type tx struct {
	reader
	ctx  context.Context
	mode mode

	node    *node
	c       *conn
	before  *store.Catalog // that of the beginning
	gate    int64          // what the gate must say
	newGate int64          // what it says from now on; 0: it was not touched
	begun   bool
	pid     string   // of the session
	xid     string   // PostgreSQL's number of the transaction; "" if it was not asked for
	horizon uint64   // COMMITs sent before the snapshot was known
	blind   bool     // nothing was asked
	queue   []*query // what was put off
	weight  int      // bytes of its values
	ended   bool

	again  error // why fn is to be run again
	how    mode  // and how
	broken error // a statement failed, and with it PostgreSQL's transaction

	known   map[*pando.Record]bool // what is there for certain, as read or written here
	wrote   bool
	inserts bool // nothing but inserts
	all     bool // more changed than tags name
	tags    []position.Tag
	changes []changes.Change
	catalog bool // collections or settings changed
}

// mode is how a transaction is run.
type mode struct {
	alone   bool // with the schema lock: nobody else writes
	careful bool // each statement in a savepoint, none put off
}

var _ store.Tx = (*tx)(nil)

func (s *Store) newTx(ctx context.Context, m mode) *tx {
	t := &tx{ctx: ctx, mode: m, blind: true, inserts: true}
	now := s.now.Load()
	t.before, t.gate = now.cat, now.gate
	t.reader = reader{asker: t, s: s, cat: now.cat}
	return t
}

// Stamp is a position such that the transaction sees every commit up to it.
func (t *tx) Stamp() position.N { return t.s.index.Frontier() }

// usable tells whether the transaction can go on.
func (t *tx) usable(ctx context.Context) error {
	switch {
	case t.ended:
		return errors.New("postgres: the transaction was used after its end")
	case t.again != nil:
		return errAgain
	case t.broken != nil:
		// Another statement after one that failed: that takes savepoints.
		return t.restart(t.broken, mode{careful: true})
	}
	return ctx.Err()
}

// restart has fn run again, in this mode at least.
func (t *tx) restart(why error, how mode) error {
	if t.again == nil {
		t.again, t.how = why, how
	}
	return errAgain
}

// connect takes a connection to the primary.
func (t *tx) connect() error {
	if t.c != nil {
		return nil
	}
	n, c, err := t.s.nodes.writer(t.ctx)
	if err != nil {
		return err
	}
	if c.catalog != t.cat.Version {
		c.forget()
		c.catalog = t.cat.Version
	}
	t.node, t.c = n, c
	return nil
}

// opening begins the transaction, with the lock and the check of gate.go. Unless
// everything is sent at once, the number of the transaction is asked for, by which
// its fate can be found out.
func (t *tx) opening(asked bool) []*query {
	if t.begun {
		return nil
	}
	list := []*query{{sql: "BEGIN ISOLATION LEVEL SERIALIZABLE"}}
	switch {
	case t.mode.alone:
		list = append(list, &query{sql: "SET LOCAL statement_timeout = 0"}, &query{sql: "SET LOCAL lock_timeout = '10s'"})
	case t.c.unnamed:
		list = append(list, t.s.localTimeout())
	}
	list = append(list, t.lock())
	if asked {
		list = append(list, &query{sql: "SELECT pg_current_xact_id(), pg_backend_pid()", text: true, row: func(_ *query, v [][]byte) error {
			t.xid, t.pid = string(v[0]), string(v[1])
			return nil
		}})
	} else {
		t.pid = strconv.FormatUint(uint64(t.c.pg.PID()), 10)
	}
	list = append(list, t.check())
	if t.mode.alone {
		list = append(list, lockTables(t.cat)...)
	}
	return list
}

// send runs statements behind what was put off. Guarded ones have a savepoint
// of their own, and leave the transaction usable if they fail.
func (t *tx) send(ctx context.Context, guarded bool, batch ...*query) error {
	if err := t.connect(); err != nil {
		return err
	}
	open := t.opening(true)
	all := append(open, t.queue...)
	own := len(all)
	if guarded {
		all = append(append(append(all, &query{sql: "SAVEPOINT guard"}), batch...), &query{sql: "RELEASE guard"})
	} else {
		all = append(all, batch...)
	}
	err := t.c.run(ctx, all...)
	t.queue, t.weight = t.queue[:0], 0
	if !t.begun {
		t.begun = true
		t.horizon = t.s.commits.horizon()
	}
	if err == nil {
		return nil
	}
	at := 0
	for at < len(all) && all[at].ran {
		at++
	}
	if !isPgError(err) || isLost(err) {
		return t.lost(ctx, err)
	}
	return t.refusedAt(ctx, err, len(open), own, at, guarded)
}

// lost is a connection that failed, or was given up because ctx is done.
func (t *tx) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		t.broken = err
		return err
	}
	t.node.failed(err)
	if isLost(err) {
		return t.restart(err, mode{})
	}
	t.broken = err
	return err
}

// refusedAt is what becomes of a statement that PostgreSQL refused: that at at,
// of which the first open begin the transaction and own begin what was asked now.
func (t *tx) refusedAt(ctx context.Context, err error, open, own, at int, guarded bool) error {
	switch code := codeOf(err); {
	case at < open && code == codeDivision:
		return t.restart(errMoved, mode{})
	case code == codeSerialization || code == codeDeadlock:
		return t.restart(err, mode{})
	case isStaleStatement(err):
		t.c.forget()
		return t.restart(err, mode{})
	case at < open:
		t.broken = err
		return err
	case at < own: // nobody can be told any more
		return t.restart(err, mode{careful: true})
	case guarded:
		if undo := t.c.exec(context.WithoutCancel(ctx), "ROLLBACK TO guard", "RELEASE guard"); undo != nil {
			return t.lost(t.ctx, undo)
		}
		return err
	}
	t.broken = err
	return err
}

// ask implements asker.
func (t *tx) ask(ctx context.Context, _ []position.Tag, batch ...*query) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	t.blind = false
	return t.send(ctx, t.mode.careful, batch...)
}

// found implements asker.
func (t *tx) found(recs ...*pando.Record) {
	if t.known == nil {
		t.known = make(map[*pando.Record]bool, len(recs))
	}
	for _, r := range recs {
		t.known[r] = true
	}
}

// script implements asker.
func (t *tx) script(ctx context.Context, fn func(c *conn) error) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	t.blind = false
	if err := t.send(ctx, false); err != nil {
		return err
	}
	err := savepoint(ctx, t.c, true, fn)
	if t.c.broken() {
		return t.lost(ctx, err)
	}
	return err
}

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
	p := t.s.plans.of(r.Collection)
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
	p := t.s.plans.of(r.Collection)
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
		if p.same(i, old.Values[i], v) {
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
	p := t.s.plans.of(r.Collection)
	id, err := argument(r.ID())
	if err != nil {
		return err
	}
	if err := t.changeOne(ctx, t.known[r], &query{sql: p.delete, args: [][]byte{id}}); err != nil {
		return t.refused(r.Collection, err)
	}
	t.known, t.inserts = nil, false
	t.touch(r.Collection, r.ID())
	t.changes = append(t.changes, changes.Change{Action: changes.Delete, Record: r})
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
