package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/topology"
)

// fate is what became of a transaction whose COMMIT has no answer.
type fate uint8

const (
	fateUnknown fate = iota
	fateCommitted
	fateAborted
)

// outcomePause is between two looks at a server that is not there yet, or where
// the old session still runs.
const outcomePause = 20 * time.Millisecond

// settle looks into a COMMIT without an answer. What is known for certain is
// treated as if it had been answered; the rest is reported as unknown, and told
// to followers without its changes. As long as nothing is known the tags stay
// pending: reads of them go to the primary.
//
// It looks at the primary of that time, once the old session is over: what that
// one does not show then, it never will. Nobody ends the session: if it waits for
// a standby to confirm the commit, that would show to all what a failover can
// still take back.
func (t *tx) settle(f *flight, lost error) result {
	s := t.s
	unknown := result{err: unknownOutcome(fmt.Errorf("commit: %w", lost))}
	old := t.node.member.Report()
	var asked string // when the server was asked first, by its own clock
	t.c.cut()
	t.release()
	for {
		n, c, err := s.nodes.writer(context.Background())
		if err == nil {
			over := n.host != t.node.host || n.member.Report().Instance != old.Instance
			if !over {
				over, err = isOver(c, t.pid, &asked)
			}
			if over && err == nil {
				what, at, err := t.look(n, c, old, f)
				if err == nil {
					n.release(c)
					return t.settled(f, what, at, unknown)
				}
			}
			n.release(c)
		}
		timer := time.NewTimer(outcomePause)
		select {
		case <-timer.C:
		case <-s.ended:
			timer.Stop()
			s.commits.crash(f) // nobody is left who could read anything
			return unknown
		}
	}
}

// settled ends a flight whose fate is known, or can make no difference any more.
func (t *tx) settled(f *flight, what fate, at where, unknown result) result {
	switch what {
	case fateCommitted:
		n := t.s.commits.land(f, at.timeline, at.n, func() { t.published(at) })
		t.s.stats.writes.Add(1)
		t.s.given(t.ctx, at.timeline, min(n, at.n))
		return result{pos: n}
	case fateAborted:
		t.s.commits.crash(f)
		return result{again: errors.New("the connection was lost before the commit")}
	}
	f.unsure = true
	t.s.commits.doubt(f)
	t.s.commits.land(f, at.timeline, at.n, func() {})
	return unknown
}

// look finds out, on a primary where the old session is over, whether the
// transaction is there. That it is there is not enough: with synchronous
// replication it must be where a failover cannot take it back, which a commit of
// our own behind it says.
func (t *tx) look(n *node, c *conn, old topology.Report, f *flight) (what fate, at where, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), t.s.opts.WriteWait)
	defer cancel()
	if err := c.run(ctx, at.query(n)); err != nil {
		return fateUnknown, at, err
	}
	known := false
	if t.xid != "" && at.timeline == old.Timeline { // such numbers mean nothing on another one
		what, known, err = statusOf(ctx, c, t.xid, old.Instance)
	}
	if !known && err == nil {
		t.s.commits.own.drop(f.own) // nothing tells whether the stream brings that
		if t.catalog {
			what, err = t.lookForCatalog(ctx, c)
		} else if what, err = t.lookForRecord(ctx, c, f); what == fateAborted && err == nil {
			what, err = t.lookForDelete(ctx, n, c, f)
		}
	}
	if what != fateCommitted || err != nil {
		return what, at, err
	}
	c.hold.Store(true)
	err = c.run(context.Background(), &query{sql: confirmSQL, once: true}, at.query(n))
	c.hold.Store(false)
	if c.waited {
		return fateUnknown, at, err
	}
	return what, at, err
}

// confirmSQL has something to commit that says nothing to those who follow the log: its
// prefix is not changes/wal.MessagePrefix.
const confirmSQL = "SELECT pg_logical_emit_message(true, 'pando.confirm', '')"

// statusOf is what became of a transaction of a run of the primary, on the same
// timeline, whose session is over. A crash has the numbers given out again of which
// nothing was on disk. So one that was committed in another run may be another
// transaction; one that was not, or has not been given out yet, never was.
func statusOf(ctx context.Context, c *conn, xid string, instance uint64) (what fate, known bool, err error) {
	err = c.each(ctx, "SELECT pg_xact_status($1::xid8), "+instanceSQL(c.pg)+" = $2::bigint", func(v [][]byte) error {
		same := string(v[1]) == "t"
		switch status := string(v[0]); {
		case status == "aborted":
			what, known = fateAborted, true
		case same && status == "committed":
			what, known = fateCommitted, true
		case same:
			known = true
		}
		return nil
	}, xid, strconv.FormatUint(instance, 10))
	if codeOf(err) == codeInvalidParameter { // it is in the future
		return fateAborted, true, nil
	}
	return what, known, err
}

// lookForCatalog looks for the catalog that the transaction made. Another server may
// have made one of the same version, if that was lost.
func (t *tx) lookForCatalog(ctx context.Context, c *conn) (fate, error) {
	m, err := readMeta(ctx, c)
	switch {
	case err != nil:
		return fateUnknown, err
	case m.catalog < t.cat.Version:
		return fateAborted, nil
	case m.catalog > t.cat.Version:
		return fateUnknown, nil
	}
	there, err := loadCatalog(ctx, c, m.catalog)
	if err == nil && sameCatalog(there, t.cat) {
		return fateCommitted, nil
	}
	return fateUnknown, err
}

// lookForRecord looks for a record that the transaction made. If it is there as
// it was to be, so is the rest; if there is none of its id, nothing is. A
// transaction that makes no record leaves nothing to be known by.
func (t *tx) lookForRecord(ctx context.Context, c *conn, f *flight) (what fate, err error) {
	made := made(f.batch.Changes)
	if made == nil {
		return fateUnknown, nil
	}
	p := t.s.plans.Of(made.Record.Collection)
	what = fateAborted
	q := p.rows(p.byID, [][]byte{textBytes(made.Record.ID())}, nil)
	q.once = true
	q.row = func(q *query, row [][]byte) error {
		what = fateUnknown
		if p.equal(made.Record.Values, p.decode(q.c, row).Values) {
			what = fateCommitted
		}
		return nil
	}
	return what, c.run(ctx, q)
}

// lookForDelete is for a record that is not there: it may have been made, seen, and
// deleted by somebody else since. To make it again would bring it back.
func (t *tx) lookForDelete(ctx context.Context, n *node, c *conn, f *flight) (fate, error) {
	x, since := f.index, f.departed
	if x == nil {
		return fateAborted, nil // nothing tells of what was before
	}
	r := made(f.batch.Changes).Record
	tags := []position.Tag{position.RecordTag(r.Collection.ID, r.ID()), position.BulkTag(r.Collection.ID)}
	if now := t.s.clock.Index(); now != x {
		// Who deleted it before was not answered until this server had heard of it, in the
		// index of then; and who did so since, in the one of now.
		if x.Covers(tags) > since {
			return fateUnknown, nil
		}
		if now.Run() != x.Run() || now.Epoch() != x.Epoch() { // positions of before say nothing
			since = now.Base()
		}
		x = now
	}
	var at where
	if err := c.run(ctx, at.query(n)); err != nil {
		return fateUnknown, err
	}
	if x.AwaitFrontier(ctx, at.n) != nil {
		return fateUnknown, nil
	}
	if x.Covers(tags) > since {
		return fateUnknown, nil
	}
	return fateAborted, nil
}

// made is a record that was created, and not touched again in the transaction.
func made(list []changes.Change) *changes.Change {
	touched := make(map[position.Tag]int, len(list))
	for _, ch := range list {
		touched[position.RecordTag(ch.Record.Collection.ID, ch.Record.ID())]++
	}
	for i, ch := range list {
		if ch.Action == changes.Create && touched[position.RecordTag(ch.Record.Collection.ID, ch.Record.ID())] == 1 {
			return &list[i]
		}
	}
	return nil
}

// equal tells whether two records are stored alike.
func (p *plan) equal(a, b []any) bool {
	for i := range p.forms {
		x, err1 := p.value(i, a[i])
		y, err2 := p.value(i, b[i])
		if err1 != nil || err2 != nil || (x == nil) != (y == nil) || !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}

// isOver tells whether a session of ours is, whose connection is gone. Another one
// may get its number, but not before asked.
func isOver(c *conn, pid string, asked *string) (over bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if *asked == "" {
		err := c.each(ctx, "SELECT clock_timestamp()", func(v [][]byte) error {
			*asked = string(v[0])
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	over = true
	err = c.each(ctx, "SELECT 1 FROM pg_stat_activity WHERE pid = $1::int AND backend_start <= $2::timestamptz", func([][]byte) error {
		over = false
		return nil
	}, pid, *asked)
	return over, err
}
