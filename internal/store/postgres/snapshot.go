package postgres

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// snapshot is a Reader. It chooses a node and opens a transaction there with the
// first question; if that is to be the only one, there is no transaction.
type snapshot struct {
	reader
	one     bool
	primary bool
	floor   position.N // the frontier before the snapshot was opened
	need    position.N

	node    *node
	replica bool       // the node is one
	behind  bool       // it has an older catalog than ours
	reached position.N // it showed everything up to here before the snapshot was opened
	limit   position.N // it must not be beyond; 0: no limit
	c       *conn
	stream  streamRead
	stamped bool // floor and reached are what the replica itself has said

	begun bool
	asked bool
	ended bool
	again error // why fn is to be run again
}

// Stamp is a position such that the snapshot holds every commit up to it.
func (r *snapshot) Stamp() position.N {
	if r.stream.degraded {
		return 0 // nobody knows
	}
	r.need = max(r.need, r.floor) // so must the node that is chosen
	return r.floor
}

// Epoch is that of the stamp.
func (r *snapshot) Epoch() position.Epoch {
	if r.stream.x == nil {
		return position.Epoch{}
	}
	return r.stream.x.Epoch()
}

var _ store.Sited = (*snapshot)(nil)

// Site implements store.Sited.
func (r *snapshot) Site() (host string, replica bool) {
	if r.node == nil {
		return "", false
	}
	return r.node.host, r.replica
}

func (r *snapshot) found(...*pando.Record) {}

func (r *snapshot) ask(ctx context.Context, tags []position.Tag, batch ...*query) error {
	if err := r.use(ctx, tags); err != nil {
		return err
	}
	mutant.Gap(mutant.PendingUnseen && r.replica)
	r.one = r.one && (batch[0].single || !r.tearable())
	if r.one {
		return r.askOnce(ctx, tags, batch)
	}
	return r.askWithin(ctx, tags, batch)
}

// use makes sure that there is a connection.
func (r *snapshot) use(ctx context.Context, tags []position.Tag) error {
	switch {
	case r.ended:
		return errors.New("postgres: the snapshot was used after its end")
	case r.again != nil:
		return errAgain
	case ctx.Err() != nil:
		return ctx.Err()
	case r.one && r.asked:
		// It was to be the only question. There is no snapshot for another.
		r.one, r.again = false, errors.New("postgres: more than one question")
		return errAgain
	}
	if r.s.clock != nil {
		return r.useStreamed(ctx, tags)
	}
	need, pending := r.s.index.Need(append(tags, catalogTag))
	if mutant.ReplicaUnchecked {
		need, pending = 0, false
	}
	if r.c != nil {
		if r.replica && (pending || need > r.reached) { // only a newer snapshot will do
			return r.elsewhere(errors.New("postgres: a replica's snapshot is too old"))
		}
		return nil
	}
	// Up to the frontier the index knows of every commit, and so does need.
	if t, ok := position.SessionOf(ctx).Require(); ok && t.N > r.s.index.Frontier() {
		need = max(need, t.N)
	}
	return r.connect(ctx, max(need, r.need), pending || r.primary)
}

// useStreamed is use where a stream tells of commits.
func (r *snapshot) useStreamed(ctx context.Context, tags []position.Tag) error {
	r.stream.tags = append(r.stream.tags, tags...)
	need := r.stampedNeed(append(tags, catalogTag))
	if mutant.ReplicaUnchecked {
		need = 0
	}
	if r.c != nil {
		// (Of a primary without a lease it is not known, but there is none newer.)
		if need > r.floor && (r.replica || !r.stream.degraded) { // only a newer snapshot will do
			return r.elsewhere(errors.New("postgres: the snapshot is too old"))
		}
		return nil
	}
	if r.stream.again {
		// Later questions may need more than the first: this snapshot shall do for all.
		all := r.stream.front
		if r.stream.degraded {
			all = r.stream.sure
		}
		need = max(need, all)
	}
	if r.stream.exact {
		need = 0
	}
	if err := r.connect(ctx, need, r.primary); err != nil || r.replica || r.stream.degraded {
		return err
	}
	return r.settled(ctx, need)
}

// nowDegraded tells whether reads go on without a primary since this one has begun.
func (r *snapshot) nowDegraded() bool {
	return r.stream.x != nil && !r.stream.degraded && r.s.clock.Degraded(r.stream.x)
}

// connect takes a connection to a node that has replayed need.
func (r *snapshot) connect(ctx context.Context, need position.N, primary bool) error {
	var err error
	if r.stream.degraded {
		r.node, r.c, err = r.s.nodes.readerDegraded(ctx, need, r.stream.later)
	} else {
		r.node, r.c, err = r.s.nodes.readerUnless(ctx, need, primary, r.nowDegraded)
	}
	if errors.Is(err, errDegraded) {
		r.again, err = err, errAgain
	}
	if err != nil {
		r.node, r.c = nil, nil
		return err
	}
	m := r.node.member
	r.replica, r.reached = m.Report().InRecovery, m.Reached()
	r.limit, _ = m.Limit()
	if r.replica {
		r.s.nodes.onReplicas.Add(1)
	} else {
		r.s.nodes.onPrimary.Add(1)
	}
	if r.c.catalog != r.cat.Version {
		r.c.forget()
		r.c.catalog = r.cat.Version
	}
	r.s.stats.reads.Add(1)
	return nil
}

// askOnce asks without a transaction if one statement says everything.
func (r *snapshot) askOnce(ctx context.Context, tags []position.Tag, batch []*query) error {
	r.asked = true
	if len(batch) > 1 || r.c.unnamed {
		all := make([]*query, 0, len(batch)+3)
		all = append(all, readBegin())
		if r.c.unnamed {
			all = append(all, r.s.localTimeouts()...)
		}
		all = append(append(all, batch...), commitQuery())
		batch = all
	}
	err := r.run(ctx, tags, batch...)
	if err == nil && (r.s.coming.Load() > 0 || r.s.Catalog() != r.cat) {
		// The statement may have seen what belongs to another catalog.
		r.one, r.again = false, errChanged
		return errAgain
	}
	return err
}

// askWithin asks within a transaction, which begins with the first question.
func (r *snapshot) askWithin(ctx context.Context, tags []position.Tag, batch []*query) error {
	if r.begun {
		return r.run(ctx, tags, batch...)
	}
	var version uint64
	all := make([]*query, 0, len(batch)+3)
	all = append(all, readBegin())
	if r.c.unnamed {
		all = append(all, r.s.localTimeouts()...)
	}
	all = append(all, &query{sql: "SELECT catalog FROM _pando_meta", row: func(_ *query, v [][]byte) error {
		version = uint64(int64Of(v[0]))
		return nil
	}})
	if r.stream.exact || r.tearable() {
		all = append(all, &query{text: true, sql: "SELECT pg_current_snapshot()", row: func(_ *query, v [][]byte) (err error) {
			r.stream.sees, err = parseVisible(string(v[0]))
			return err
		}})
	}
	r.begun = true
	err := r.run(ctx, tags, append(all, batch...)...)
	if all[len(all)-1].ran && version != r.cat.Version {
		r.again = errMoved
		if r.replica && version < r.cat.Version {
			r.primary, r.behind = true, true
		}
		return errAgain
	}
	return err
}

func readBegin() *query {
	return &query{sql: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}
}

func commitQuery() *query { return &query{sql: "COMMIT"} }

// localTimeouts bound a transaction and its statements where a pooler stands between,
// and a session is not ours.
func (s *Store) localTimeouts() []*query {
	return []*query{
		{sql: "SET LOCAL statement_timeout = " + milliseconds(s.opts.QueryTimeout)},
		{sql: "SET LOCAL idle_in_transaction_session_timeout = " + milliseconds(s.opts.idle)},
	}
}

// elsewhere has fn run again, on the primary.
func (r *snapshot) elsewhere(why error) error {
	r.primary, r.again = true, why
	return errAgain
}

// run sends statements, and says whether a failure is one that another node, or
// another try, may not have.
func (r *snapshot) run(ctx context.Context, tags []position.Tag, batch ...*query) error {
	if r.s.clock != nil {
		return r.runStreamed(ctx, tags, batch)
	}
	var at bound
	if position.SessionOf(ctx) != nil || r.limit > 0 {
		// Behind the rest: the snapshot does not go beyond what is there by then.
		batch = append(batch[:len(batch):len(batch)], at.query())
	}
	err := r.c.run(ctx, batch...)
	if err == nil {
		return r.judge(ctx, tags, at)
	}
	return r.failedRun(ctx, err)
}

// runStreamed is run where a stream tells of commits. The mark of a replica is
// taken before the snapshot, in a transaction of its own.
func (r *snapshot) runStreamed(ctx context.Context, tags []position.Tag, batch []*query) error {
	need := r.stampedNeed(append(tags, catalogTag))
	if mutant.ReplicaUnchecked {
		need = 0
	}
	var before, after mark
	all := make([]*query, 0, len(batch)+2)
	if r.replica && !r.stamped {
		all = append(all, before.query(stampSQL, true))
		if mutant.NoUpperStamp {
			all = append(all, &query{sql: "SELECT pg_sleep(0.005)", commits: true})
		}
	} else {
		before = mark{replica: r.replica, timeline: r.stream.x.Epoch().Timeline, known: true}
	}
	all = append(all, batch...)
	if mutant.StampAfterData && len(all) > len(batch) && r.one {
		all = append(append(all[1:], &query{sql: "SELECT pg_sleep(0.005)"}), all[0])
	}
	bound := after.query(boundSQL, false)
	if r.stream.degraded {
		bound = after.query(reachedSQL, false)
	}
	if end := len(all) - 1; end >= 0 && all[end].sql == "COMMIT" {
		all = append(all[:end], bound, all[end]) // the snapshot is there until then
	} else {
		all = append(all, bound)
	}
	if err := r.c.run(ctx, all...); err != nil {
		return r.failedRun(ctx, err)
	}
	if r.stream.degraded && r.replica && after.replica {
		if err := r.whole(ctx, &after); errors.Is(err, errReplaying) {
			return r.elsewhere(err)
		} else if err != nil {
			return r.failedRun(ctx, err)
		}
	}
	return r.judgeMarks(need, before, after)
}

// failedRun says whether a failure is one that another node, or another try, may
// not have.
func (r *snapshot) failedRun(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	switch {
	case isStaleStatement(err):
		r.c.forget()
	case isLost(err):
		r.node.failed(err)
	case conflictsWithRecovery(err), codeOf(err) == codeSerialization:
		r.primary = true
	case isSchemaError(err) && r.s.coming.Load() > 0: // it is made, and will be published in a moment
		r.primary, err = true, errMoved
	case isSchemaError(err) && r.s.clock != nil && r.s.Catalog() == r.cat: // another server has changed it
		r.primary, err = true, errMoved
	case isSchemaError(err) && (r.replica || r.s.Catalog() != r.cat):
		r.primary = true
	default:
		return err
	}
	r.again = err
	return errAgain
}

// judge tells whether what was read may be answered.
func (r *snapshot) judge(ctx context.Context, tags []position.Tag, at bound) error {
	if r.replica && !mutant.PendingUnseen && !mutant.ReplicaUnchecked {
		// A replica can show a commit before the primary does: see position/pending.go.
		if _, pending := r.s.index.Need(append(tags, catalogTag)); pending {
			return r.elsewhere(errors.New("postgres: a commit of what was read is under way"))
		}
	}
	if !at.known {
		return nil
	}
	if at.replica != r.replica || r.limit > 0 && at.n > r.limit {
		return r.elsewhere(errors.New("postgres: the node is not what it was"))
	}
	if r.replica {
		at.timeline = r.node.member.Report().Timeline
	}
	n := at.n
	if seen, pending := r.s.index.Need(append(tags, catalogTag)); !pending && !r.s.nodes.sole() {
		// All commits are ours, so the index knows of each that may have been seen:
		// it is pending, or what was read last changed at seen at the latest. Others
		// need not have reached the node that is asked next.
		n = min(n, seen)
	}
	r.s.given(ctx, at.timeline, n)
	return nil
}

// bound is a position that a snapshot does not go beyond.
type bound struct {
	where
	replica bool
	known   bool
}

// query asks for it. What a replica has received bounds what it shows: redo makes
// a commit visible a moment before it says so.
func (b *bound) query() *query {
	return &query{text: true, sql: "SELECT pg_is_in_recovery(), (CASE WHEN pg_is_in_recovery()" +
		" THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_flush_lsn() END - '0/0')::text," +
		" CASE WHEN pg_is_in_recovery() THEN '0' ELSE substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END",
		row: func(_ *query, v [][]byte) error {
			b.known, b.replica = true, string(v[0]) == "t"
			return b.scan(v[1], v[2])
		}}
}

// script runs fn in the snapshot's own transaction, which cannot write.
func (r *snapshot) script(ctx context.Context, fn func(c *conn) error) error {
	if r.one {
		r.one = false
	}
	r.primary = true // which has every collection
	if err := r.use(ctx, []position.Tag{position.AllTag}); err != nil {
		return err
	}
	if !r.begun {
		if err := r.askWithin(ctx, nil, nil); err != nil {
			return err
		}
	}
	err := savepoint(ctx, r.c, false, fn)
	if r.c.broken() {
		return r.failedRun(ctx, err)
	}
	return err
}

// savepoint runs fn and undoes it. Unless the transaction cannot write anyway, it
// cannot within the savepoint.
func savepoint(ctx context.Context, c *conn, writes bool, fn func(c *conn) error) error {
	begin := []string{"SAVEPOINT script"}
	if writes {
		begin = append(begin, "SET LOCAL transaction_read_only = on")
	}
	if err := c.exec(ctx, begin...); err != nil {
		return unavailable(err)
	}
	err := fn(c)
	if c.broken() {
		return err
	}
	if undo := c.exec(context.WithoutCancel(ctx), "ROLLBACK TO script", "RELEASE script"); undo != nil {
		c.cut()
		return unavailable(undo)
	}
	return err
}

// end gives the connection back.
func (r *snapshot) end() {
	r.ended = true
	if r.c == nil {
		return
	}
	n, c := r.node, r.c
	r.c = nil
	if r.again == nil {
		n.served.add(r.replica)
	}
	if !r.begun || c.broken() || c.pg.TxStatus() == 'I' {
		n.release(c)
		return
	}
	r.s.unknown.Go(func() { // nobody has to wait for the end
		if err := c.run(context.Background(), commitQuery()); err != nil && !isLost(err) {
			r.s.log.Error("close snapshot", "err", err)
		}
		n.release(c)
	})
}
