package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/registry"
)

// One server writes to a database at a time, since each judges by what it has
// changed itself. Who it is stands in a row (a lock of a session would not do: a
// pooler gives each transaction another one), which is renewed each second. A row
// that nobody renews for leaseTime is there for the taking; by whose clock it was
// renewed does not matter, as a candidate watches it for that long by its own.
// The same data directory takes its own lease back at once.
//
// Each taking raises the term, and every transaction that writes checks it
// (tx.check): a server that was frozen, and replaced meanwhile, writes nothing. From the
// next renewal on it reads nothing either.
const (
	leaseBeat = time.Second
	leaseTime = 6 * time.Second

	watchEvery = 250 * time.Millisecond
)

// lease is ours for a term.
type lease struct {
	s    *Store
	term uint64
	lost atomic.Bool // another server has it: nothing is read by the collections of then, either
	done chan struct{}
	wait sync.WaitGroup
}

// holder is the row.
type holder struct {
	term, beat    uint64
	id, host, pid string
	since         string
	there         bool
}

func (h holder) String() string {
	return fmt.Sprintf("host %s, process %s, since %s", h.host, h.pid, h.since)
}

const holderSQL = `SELECT term, beat, holder, host, pid, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' FROM _pando_lease`

func readHolder(ctx context.Context, c *conn) (h holder, err error) {
	err = c.each(ctx, holderSQL, func(v [][]byte) error {
		h = holder{id: string(v[2]), host: string(v[3]), pid: string(v[4]), since: string(v[5]), there: true}
		if h.term, err = strconv.ParseUint(string(v[0]), 10, 64); err != nil {
			return err
		}
		h.beat, err = strconv.ParseUint(string(v[1]), 10, 64)
		return err
	})
	return h, err
}

// takeLease makes this process the one that writes, or says who is.
func (s *Store) takeLease(ctx context.Context, c *conn) (*lease, error) {
	for {
		h, err := readHolder(ctx, c)
		if err != nil {
			return nil, unavailable(err)
		}
		if h.there && h.id != s.opts.Identity {
			if err := s.outlive(ctx, c, h); err != nil {
				return nil, err
			}
		}
		dead, err := s.outliveMembers(ctx, c, h.id, noSecret)
		if err != nil {
			return nil, err
		}
		term, err := s.replaceHolder(ctx, c, h, dead)
		if err != nil {
			return nil, unavailable(err)
		}
		if term > 0 {
			return &lease{s: s, term: term, done: make(chan struct{})}, nil
		}
	}
}

// outlive waits until nobody has renewed the lease of h for its time.
func (s *Store) outlive(ctx context.Context, c *conn, h holder) error {
	end := time.NewTimer(leaseTime)
	defer end.Stop()
	look := time.NewTicker(leaseBeat / 2)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return nil
		case <-look.C:
		}
		now, err := readHolder(ctx, c)
		switch {
		case err != nil:
			return unavailable(err)
		case !now.there:
			return nil
		case now.beat != h.beat || now.term != h.term:
			return &pando.Error{
				Kind:    pando.KindInvalid,
				Message: fmt.Sprintf("Another Pando server uses this database (%s), and no others, for it has no secret in common with them. Stop it first; to have several, give each the same PANDO_CLUSTER_SECRET.", now),
			}
		}
	}
}

// replaceHolder takes the lease from h, if it still is as it was, and the members
// that are dead are the only ones; 0 if not.
func (s *Store) replaceHolder(ctx context.Context, c *conn, h holder, dead []registry.Member) (term uint64, err error) {
	defer func() {
		if !c.broken() && c.pg.TxStatus() != 'I' {
			_ = c.exec(ctx, "ROLLBACK")
		}
	}()
	// The lock lets the transactions of the one before come to their end.
	if err := c.exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED", "LOCK TABLE _pando_meta IN EXCLUSIVE MODE", "LOCK TABLE _pando_lease IN EXCLUSIVE MODE"); err != nil {
		return 0, err
	}
	if err := lockOut(ctx, c); err != nil {
		return 0, err
	}
	now, err := readHolder(ctx, c)
	if err != nil || now != h {
		return 0, err
	}
	if s.alone {
		if gone, err := s.bury(ctx, c, dead); err != nil || !gone {
			return 0, err
		}
	}
	m, err := readMeta(ctx, c)
	if err != nil {
		return 0, err
	}
	term = max(m.term, h.term) + 1
	host, _ := os.Hostname()
	number := strconv.FormatUint(term, 10)
	if err := c.each(ctx, "UPDATE _pando_meta SET term = $1", nil, number); err != nil {
		return 0, err
	}
	err = c.each(ctx, `INSERT INTO _pando_lease VALUES (1, $1, $2, $3, $4, clock_timestamp(), 0, clock_timestamp())
		ON CONFLICT (id) DO UPDATE SET term = excluded.term, holder = excluded.holder, host = excluded.host, pid = excluded.pid,
		since = excluded.since, beat = excluded.beat, beaten = excluded.beaten`,
		nil, number, s.opts.Identity, cmp.Or(host, "unknown"), strconv.Itoa(os.Getpid()))
	if err != nil {
		return 0, err
	}
	return term, c.exec(ctx, "COMMIT")
}

// lockOut keeps the creates of another server out, and makes its writes look at
// the term: see gate.go.
func lockOut(ctx context.Context, c *conn) error {
	var tables []string
	err := c.each(ctx, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND left(relname, 7) <> '_pando_'",
		func(v [][]byte) error {
			tables = append(tables, quote(string(v[0])))
			return nil
		})
	if err == nil && len(tables) > 0 {
		err = c.exec(ctx, "LOCK TABLE "+strings.Join(tables, ", ")+" IN SHARE MODE")
	}
	if err != nil {
		return err
	}
	return c.exec(ctx, "SELECT nextval('_pando_gate')")
}

// start renews the lease until end.
func (l *lease) start() {
	l.wait.Go(func() {
		beat := time.NewTicker(leaseBeat)
		defer beat.Stop()
		quiet := false
		for {
			select {
			case <-l.done:
				return
			case <-beat.C:
			}
			err := l.renew()
			if err != nil && !quiet {
				l.s.log.Warn("the database's lease cannot be renewed", "err", err)
			}
			quiet = err != nil
		}
	})
}

var errLeaseLost = errors.New("another server has taken the lease")

// renew shows that this server is there. It does not wait for standbys: what
// counts is that the primary says so.
func (l *lease) renew() error {
	ctx, cancel := context.WithTimeout(context.Background(), leaseBeat)
	defer cancel()
	n, c, err := l.s.nodes.reader(ctx, 0, true)
	if err != nil {
		return err
	}
	defer n.release(c)
	arg, _ := argument(int64(l.term))
	beat := &query{sql: "UPDATE _pando_lease SET beat = beat + 1, beaten = clock_timestamp() WHERE term = $1", args: [][]byte{arg}}
	err = c.run(ctx, &query{sql: "BEGIN"}, &query{sql: "SET LOCAL synchronous_commit = local"}, beat, commitQuery())
	if err == nil && beat.rows() == 0 {
		l.lost.Store(true)
		err = errLeaseLost
	}
	return err
}

// end gives the lease back. If that fails, it runs out.
func (l *lease) end() {
	close(l.done)
	l.wait.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), leaseBeat)
	defer cancel()
	if l.s.nodes.watcher.State().Primary() == nil {
		return
	}
	n, c, err := l.s.nodes.reader(ctx, 0, true)
	if err != nil {
		return
	}
	defer n.release(c)
	_ = c.each(ctx, "DELETE FROM _pando_lease WHERE term = $1", nil, strconv.FormatUint(l.term, 10))
}

// holdsLease tells whether this server may still write, as of a row just read.
func (s *Store) holdsLease(ctx context.Context, c *conn, m meta) error {
	if s.opts.OneShot || m.term == s.term.Load() {
		return nil
	}
	h, err := readHolder(ctx, c)
	who := "another Pando server"
	if err == nil && h.there {
		who += " (" + h.String() + ")"
	}
	return takenOver(who)
}

func takenOver(by string) error {
	return &pando.Error{
		Kind:    pando.KindUnavailable,
		Message: "The database was taken over by " + by + ". This server answers nothing more; restart it.",
		Err:     errLeaseLost,
	}
}

// watchCatalog notices that another program has changed the collections or the
// settings: a probe says which version the primary shows.
func (s *Store) watchCatalog() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
		}
		m := s.nodes.watcher.State().Primary()
		if m == nil || s.coming.Load() > 0 || m.Report().Catalog <= s.Catalog().Version {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.opts.QueryTimeout)
		if err := s.refresh(ctx); err != nil {
			s.log.Warn("the collections were changed by another program, and cannot be read", "err", err)
		}
		cancel()
	}
}
