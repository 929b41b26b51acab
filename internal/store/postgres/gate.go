package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando/internal/store"
)

// A write must not be made under a catalog that is not the newest any more, nor by
// a server whose lease somebody else has taken: once a change of a rule is
// answered, nothing may come to light that was judged by the old one.
//
// So changes of the schema keep all writes out, and after them the gate, a number
// that each write checks when it holds its lock, is another one. It is a sequence
// because these do not belong to transactions: what it says is what it says now,
// whatever snapshot one has, and reading it makes nobody conflict with anybody.
//
//	writes in general       LOCK _pando_meta ROW SHARE, check the gate, …
//	a create in one go      INSERT … SELECT … WHERE the gate is right, on its own: the
//	                        table that it inserts into is lock enough, and sessions
//	                        for writes are serializable by default
//	a change of the schema  LOCK _pando_meta EXCLUSIVE, check the gate, LOCK every
//	                        table SHARE, move the gate, …, COMMIT
//
// A schema change that is rolled back leaves the gate moved: writes then look, and
// find nothing changed. (ACCESS EXCLUSIVE on _pando_meta would be replayed on
// replicas, and cancel their reads.)

// lock is what a transaction that writes takes first. It takes no snapshot.
func (t *tx) lock() *query {
	if t.mode.alone {
		return &query{sql: "LOCK TABLE _pando_meta IN EXCLUSIVE MODE"}
	}
	return &query{sql: "LOCK TABLE _pando_meta IN ROW SHARE MODE"}
}

// schemaWaits is how long a change of the schema waits for each lock, in times that a
// write waits for a primary: all other writes wait behind it.
const schemaWaits = 2

// rowWait is how long a statement waits for a row, or an index's place, that
// another transaction has changed. One that is serializable may not change it
// after that anyway, so nothing is lost by beginning anew; and two that wait for
// each other need not wait for PostgreSQL to notice, which takes it a second.
const rowWait = "100ms"

// turnWait is how long a write that is alone, since it has lost to others again and again, waits
// for each lock: it is another program that holds it, perhaps for long, and all writes of all
// servers wait meanwhile. Then none is alone for that reason for turnPause.
const (
	turnWait  = 500 * time.Millisecond
	turnPause = 10 * time.Second
)

// check fails with a division by zero if the gate is another one. The lock is held
// by then: what is waited for from here on are rows.
func (t *tx) check() *query {
	arg, _ := argument(t.now.gate)
	sql := "SELECT 1 / (last_value = $1)::int FROM _pando_gate"
	if !t.mode.alone {
		sql = "SELECT 1 / (last_value = $1)::int, set_config('lock_timeout', '" + rowWait + "', true) FROM _pando_gate"
	}
	return &query{sql: sql, args: [][]byte{arg}}
}

// lockTables keeps creates out that take no other lock.
func lockTables(cat *store.Catalog) []*query {
	var names []string
	for _, c := range cat.Collections {
		if !c.IsView() {
			names = append(names, quote(c.Name))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []*query{{sql: "LOCK TABLE " + strings.Join(names, ", ") + " IN SHARE MODE", once: true}}
}

// moveGate makes all writes look again, once in a transaction that has the schema
// to itself.
func (t *tx) moveGate(ctx context.Context) error {
	if t.newGate > 0 {
		return nil
	}
	gate, err := t.c.queryInt(ctx, "SELECT nextval('_pando_gate')")
	if err := t.retried(ctx, err); err != nil {
		return unavailable(err)
	}
	t.newGate = gate
	return nil
}

// oneGo tells whether the transaction can be sent as inserts that check the gate
// themselves. They must be into one table: with several locks to wait for, a
// change of the schema and a create could wait for each other. (Tables that an
// insert only looks into are locked after it, and are free to be read until
// somebody has locked all of them.)
func (t *tx) oneGo() bool {
	if t.begun || t.mode != (mode{}) || !t.inserts || !t.blind || t.c.unnamed || len(t.queue) == 0 {
		return false
	}
	last := t.queue[len(t.queue)-1]
	supposed := 0
	for _, q := range t.queue {
		if q.suppose != nil {
			supposed += len(q.suppose.ids)
		} else if q.gated == "" || q.gated != last.gated {
			return false
		}
	}
	return supposed == 0 || supposed <= mostSupposed && t.guesses == len(t.queue)-1
}

// gateQueue makes inserts of what was put off that check the gate themselves, and
// insert nothing if it is another one, or if what was supposed is not so. They are
// one transaction.
func (t *tx) gateQueue() {
	arg, _ := argument(t.now.gate)
	var supposed []*supposition
	inserts := t.queue[:0]
	for _, q := range t.queue {
		if q.suppose != nil {
			supposed = append(supposed, q.suppose)
			continue
		}
		q.sql = q.gated
		q.args = append(q.args, arg)
		q.formats = append(q.formats[:len(q.formats):len(q.formats)], 0)
		inserts = append(inserts, q)
	}
	last := inserts[len(inserts)-1]
	last.commits = true
	if len(supposed) > 0 { // there is one insert
		conditions(last, supposed)
	}
	if t.s.clock != nil {
		last.sql += " RETURNING pg_current_xact_id()"
		last.row = func(_ *query, v [][]byte) error {
			t.xid = strconv.FormatInt(int64Of(v[0]), 10)
			return nil
		}
	}
	t.queue = inserts
}
