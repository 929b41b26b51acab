package postgres

import (
	"context"
	"errors"
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
	now     *current // of the beginning; its gate must still be open
	newGate int64    // what it says from now on; 0: it was not touched
	begun   bool
	pid     string         // of the session
	xid     string         // PostgreSQL's number of the transaction; "" if it was not asked for
	horizon uint64         // COMMITs sent before the snapshot was known
	blind   bool           // nothing was asked
	queue   []*query       // what was put off
	weight  int            // bytes of its values
	guesses int            // suppositions among it
	saw     []position.Tag // records that were supposed to be there
	seen    position.N     // nothing that it was told lies beyond; where there is a stream
	ended   bool

	again  error // why fn is to be run again
	how    mode  // and how
	broken error // a statement failed, and with it PostgreSQL's transaction

	known   map[*pando.Record]bool // what is there for certain, as read or written here
	wrote   bool
	inserts bool // nothing but inserts
	all     bool // more changed than tags name
	tags    []position.Tag
	read    read
	changes []changes.Change
	catalog bool // collections or settings changed
}

// read is what a transaction has asked about.
type read struct {
	tags []position.Tag
	all  bool // more than tags name
}

// readMost is how many tags are remembered.
const readMost = 256

func (r *read) add(tags []position.Tag) {
	if r.all = r.all || len(r.tags)+len(tags) > readMost; !r.all {
		r.tags = append(r.tags, tags...)
	}
}

// mode is how a transaction is run.
type mode struct {
	alone   bool // with the schema lock: nobody else writes
	turn    bool // alone since it has lost to others again and again, and not for long
	careful bool // each statement in a savepoint, none put off
}

var _ store.Tx = (*tx)(nil)

func (s *Store) newTx(ctx context.Context, m mode) *tx {
	t := &tx{ctx: ctx, mode: m, blind: true, inserts: true}
	t.now = s.now.Load()
	t.reader = reader{asker: t, s: s, cat: t.now.cat}
	return t
}

// Stamp is a position such that the transaction sees every commit up to it.
func (t *tx) Stamp() position.N { return t.s.present().Safe() }

// Epoch is that of the stamp.
func (t *tx) Epoch() position.Epoch { return t.s.present().Epoch() }

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
	// Who has waited for the primary while there was a failover: the gate is another one
	// then, and nearly always the catalog is not.
	if now := t.s.now.Load(); now.cat == t.cat {
		t.now = now
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
		wait := milliseconds(schemaWaits * t.s.opts.WriteWait)
		list = append(list, &query{sql: "SET LOCAL statement_timeout = 0"}, &query{sql: "SET LOCAL lock_timeout = " + wait})
	case t.c.unnamed:
		list = append(list, t.s.localTimeouts()...)
	}
	list = append(list, t.lock())
	if !t.c.unnamed { // known before anything is answered; behind a pooler it is another's
		t.pid = strconv.FormatUint(uint64(t.c.pg.PID()), 10)
	}
	if asked {
		list = append(list, &query{sql: "SELECT pg_current_xact_id(), pg_backend_pid()", text: true, row: func(_ *query, v [][]byte) error {
			t.xid, t.pid = string(v[0]), string(v[1])
			return nil
		}})
	}
	list = append(list, t.check())
	if t.mode.turn { // all other writes wait
		list = append(list, &query{sql: "SET LOCAL lock_timeout = " + milliseconds(turnWait)})
	}
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
	t.queue, t.weight, t.guesses = t.queue[:0], 0, 0
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
	case code == codeSerialization || code == codeDeadlock || code == codeLockTimeout && (t.mode.turn || at >= open && !t.mode.alone):
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
func (t *tx) ask(ctx context.Context, tags []position.Tag, batch ...*query) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	t.blind = false
	t.read.add(tags)
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
	t.blind, t.read.all = false, true
	if err := t.send(ctx, false); err != nil {
		return err
	}
	err := savepoint(ctx, t.c, true, fn)
	if t.c.broken() {
		return t.lost(ctx, err)
	}
	return err
}
