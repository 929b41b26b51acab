package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/registry"
)

// clusterConns is how many connections to the primary the cluster may have for itself: a
// renewal that waits for a standby, or collections that are read behind somebody's change of
// them, keep no question waiting.
const clusterConns = 6

// Registry is the cluster's rows in the database, over connections of their own.
type Registry struct{ s *Store }

var _ registry.Registry = Registry{}

// Registry is that of the store's database.
func (s *Store) Registry() Registry { return Registry{s} }

// run sends statements to the present primary: there is no waiting for one.
func (r Registry) run(ctx context.Context, batch ...*query) error {
	state := r.s.nodes.watcher.State()
	m := state.Primary()
	if m == nil && r.s.nodes.sole() { // it may only be busy
		m = state.LastPrimary()
	}
	if m == nil {
		return noPrimary(errNoPrimary)
	}
	n := r.s.nodes.of(m)
	if n == nil {
		return noPrimary(errPoolClosed)
	}
	c, err := n.cluster.acquire(ctx)
	if err != nil {
		return noPrimary(err)
	}
	m.Acquire()
	defer n.release(c)
	c.waited = false
	if err = c.run(ctx, batch...); err != nil && isLost(err) && ctx.Err() == nil {
		n.failed(err)
	}
	return noPrimary(err)
}

func noPrimary(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &pando.Error{Kind: pando.KindUnavailable, Message: "The database's primary cannot be reached at the moment.", Err: err}
}

// commit runs one statement in a transaction that is on disk, and at the standbys
// that must have it, when it is answered. It does not wait until they show it: a
// standby that is late with that would make the cluster look for another tailer.
func (r Registry) commit(ctx context.Context, q *query) error {
	return r.run(ctx, &query{sql: "BEGIN ISOLATION LEVEL READ COMMITTED"}, &query{sql: "SET LOCAL synchronous_commit = on"}, q, r.end())
}

// aside runs one that may be lost with the primary.
func (r Registry) aside(ctx context.Context, q *query) error {
	return r.run(ctx, &query{sql: "BEGIN ISOLATION LEVEL READ COMMITTED"}, &query{sql: "SET LOCAL synchronous_commit = local"}, q, r.end())
}

// end commits, and fails if that was answered before a standby had it.
func (r Registry) end() *query {
	q := commitQuery()
	q.sure = true
	return q
}

func texts(values ...string) [][]byte { return textArgs(values) }

func number[T ~uint64 | ~int](n T) string { return strconv.FormatUint(uint64(n), 10) }

// settle makes a commit that changes nothing: when it is answered, all of before is
// where it must be.
func (r Registry) settle(ctx context.Context) error {
	return r.commit(ctx, &query{sql: "SELECT pg_logical_emit_message(true, 'pando.settle', '')"})
}

// Join implements registry.Registry.
func (r Registry) Join(ctx context.Context, m registry.Member) error {
	// Whoever is to be the only server keeps others out while it looks for members.
	q := &query{
		sql: `INSERT INTO _pando_members (id, boot, address, version, format, beat, draining, load)
			SELECT $1, $2, $3, $4, $5::integer, $6::bigint, $7::boolean, $8::real WHERE NOT EXISTS (SELECT FROM _pando_lease WHERE holder <> $1)
			ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, address = excluded.address, version = excluded.version,
			format = excluded.format, beat = excluded.beat, draining = excluded.draining, load = excluded.load, joined = now()`,
		args: texts(m.ID, m.Boot, m.Address, m.Version, number(m.Format), number(m.Beat), strconv.FormatBool(m.Draining), loadText(m)),
	}
	var term uint64
	now := &query{sql: "SELECT term FROM _pando_meta", row: func(_ *query, v [][]byte) error {
		term = uint64(int64Of(v[0]))
		return nil
	}}
	err := r.run(ctx, &query{sql: "BEGIN ISOLATION LEVEL READ COMMITTED"}, &query{sql: "SET LOCAL synchronous_commit = on"},
		&query{sql: "LOCK TABLE _pando_lease IN ROW SHARE MODE"}, q, now, r.end())
	if err == nil && q.rows() == 0 {
		err = errNotShared
	}
	if err == nil { // an only server that was there in between has kept this one out
		r.s.term.Store(term)
	}
	return err
}

// Beat implements registry.Registry.
func (r Registry) Beat(ctx context.Context, m registry.Member) (bool, error) {
	q := &query{
		sql:  "UPDATE _pando_members SET beat = beat + 1, load = $3::real WHERE id = $1 AND boot = $2",
		args: texts(m.ID, m.Boot, loadText(m)),
	}
	err := r.aside(ctx, q)
	return err == nil && q.rows() == 1, err
}

func loadText(m registry.Member) string { return strconv.FormatFloat(m.Load, 'f', 3, 32) }

// Drain implements registry.Registry.
func (r Registry) Drain(ctx context.Context, id string, yes bool) (bool, error) {
	q := &query{sql: drainSQL, args: texts(id, strconv.FormatBool(yes))}
	err := r.aside(ctx, q)
	return err == nil && q.rows() == 1, err
}

const drainSQL = "UPDATE _pando_members SET draining = $2::boolean WHERE id = $1"

// Leave implements registry.Registry.
func (r Registry) Leave(ctx context.Context, m registry.Member) error {
	return r.aside(ctx, &query{
		sql:  "DELETE FROM _pando_members WHERE id = $1 AND boot = $2 AND (beat = $3::bigint OR $3::bigint = 0)",
		args: texts(m.ID, m.Boot, number(m.Beat)),
	})
}

// Members implements registry.Registry.
func (r Registry) Members(ctx context.Context) ([]registry.Member, error) {
	var list []registry.Member
	err := r.run(ctx, &query{
		text: true,
		sql:  membersSQL + " ORDER BY id",
		row:  memberRow(&list),
	})
	return list, err
}

const membersSQL = "SELECT id, boot, address, version, format, beat, draining, load, " +
	"(extract(epoch FROM clock_timestamp() - joined) * 1000)::bigint FROM _pando_members"

func memberRow(list *[]registry.Member) func(*query, [][]byte) error {
	return func(_ *query, v [][]byte) error {
		format, err := strconv.Atoi(string(v[4]))
		beat, err2 := strconv.ParseUint(string(v[5]), 10, 64)
		load, err3 := strconv.ParseFloat(string(v[7]), 32)
		age, err4 := strconv.ParseInt(string(v[8]), 10, 64)
		*list = append(*list, registry.Member{
			ID: string(v[0]), Boot: string(v[1]), Address: string(v[2]), Version: string(v[3]), Format: format, Beat: beat,
			Draining: string(v[6]) == "t", Load: load,
			Age: time.Duration(age) * time.Millisecond,
		})
		return errors.Join(err, err2, err3, err4)
	}
}

// Tailer implements registry.Registry.
func (r Registry) Tailer(ctx context.Context) (t registry.Tailer, err error) {
	err = r.run(ctx, &query{text: true, sql: "SELECT term, beat, holder FROM _pando_tailer", row: tailerRow(&t)})
	return t, err
}

func tailerRow(t *registry.Tailer) func(*query, [][]byte) error {
	return func(_ *query, v [][]byte) error {
		term, err := strconv.ParseUint(string(v[0]), 10, 64)
		beat, err2 := strconv.ParseUint(string(v[1]), 10, 64)
		*t = registry.Tailer{Term: term, Beat: beat, Holder: string(v[2])}
		return errors.Join(err, err2)
	}
}

// TakeTailer implements registry.Registry.
func (r Registry) TakeTailer(ctx context.Context, from registry.Tailer, holder string) (now registry.Tailer, ok bool, err error) {
	q := &query{
		text: true, row: tailerRow(&now),
		sql:  "UPDATE _pando_tailer SET term = term + 1, beat = 0, holder = $3 WHERE term = $1 AND beat = $2 RETURNING term, beat, holder",
		args: texts(number(from.Term), number(from.Beat), holder),
	}
	if from == (registry.Tailer{}) {
		q.sql = "INSERT INTO _pando_tailer VALUES (1, 1, 0, $1) ON CONFLICT (id) DO NOTHING RETURNING term, beat, holder"
		q.args = texts(holder)
	}
	err = r.commit(ctx, q)
	if err != nil || q.rows() == 0 {
		return registry.Tailer{}, false, err
	}
	return now, true, nil
}

// RenewTailer implements registry.Registry.
func (r Registry) RenewTailer(ctx context.Context, t registry.Tailer) (bool, error) {
	q := &query{sql: "UPDATE _pando_tailer SET beat = beat + 1 WHERE term = $1", args: texts(number(t.Term))}
	err := r.commit(ctx, q)
	return err == nil && q.rows() == 1, err
}

// Probe implements registry.Registry.
func (r Registry) Probe(ctx context.Context) (p registry.Probe, err error) {
	err = r.run(ctx, &query{
		text: true,
		sql:  "SELECT " + epochSQL + ", (pg_current_wal_flush_lsn() - '0/0')::text FROM _pando_meta",
		row: func(_ *query, v [][]byte) (err error) {
			if p.Epoch, err = parseEpoch(v); err != nil {
				return err
			}
			flush, err := strconv.ParseUint(string(v[3]), 10, 64)
			p.Flush = position.N(flush)
			return err
		},
	})
	return p, err
}

// Visible implements registry.Registry. A replica's view knows nothing of what runs.
func (r Registry) Visible(ctx context.Context) (v registry.Visible, err error) {
	err = r.run(ctx, &query{
		text: true, sql: "SELECT " + epochSQL + ", pg_current_snapshot() FROM _pando_meta",
		row: func(_ *query, row [][]byte) (err error) {
			if v, err = parseVisible(string(row[3])); err == nil {
				v.Epoch, err = parseEpoch(row)
			}
			return err
		},
	})
	return v, err
}

// epochSQL are the three parts of the epoch. It fails on a replica.
const epochSQL = "database, incarnation, substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8)"

func parseEpoch(v [][]byte) (e position.Epoch, err error) {
	if e.Database, err = strconv.ParseUint(string(v[0]), 10, 64); err != nil {
		return e, err
	}
	if e.Incarnation, err = strconv.ParseUint(string(v[1]), 10, 64); err != nil {
		return e, err
	}
	timeline, err := strconv.ParseUint(string(v[2]), 16, 32)
	e.Timeline = uint32(timeline)
	return e, err
}

// parseVisible reads a pg_snapshot: 10:20:10,14,15.
func parseVisible(text string) (v registry.Visible, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return v, fmt.Errorf("postgres: %q is no snapshot", text)
	}
	if v.Min, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return v, err
	}
	if v.Max, err = strconv.ParseUint(parts[1], 10, 64); err != nil || parts[2] == "" {
		return v, err
	}
	for _, text := range strings.Split(parts[2], ",") {
		xid, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return v, err
		}
		v.Running = append(v.Running, xid)
	}
	slices.Sort(v.Running)
	return v, nil
}
