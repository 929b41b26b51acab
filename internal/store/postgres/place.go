package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/registry"
)

// A server takes its place at a database: as the only one, by its lease (lease.go),
// or as one of a cluster, by a row among the members (registry.go). There is never
// one with a lease beside members: each looks for the other where the other is kept
// out (replaceHolder, Registry.Join).

// takePlace finds out how this server hears of commits, and makes sure that it may
// make some.
func (s *Store) takePlace(ctx context.Context, n *node, c *conn) (err error) {
	if s.opts.OneShot {
		return nil
	}
	if s.opts.Identity == "" {
		var random [12]byte
		rand.Read(random[:])
		s.opts.Identity = hex.EncodeToString(random[:])
	}
	if s.clock != nil {
		if why, ok := s.streamPossible(ctx, n, c); !ok {
			s.deaf, s.clock, s.commits.clock = why, nil, nil
		}
	}
	if s.alone = s.opts.Shared == nil; s.alone {
		if s.lease, err = s.takeLease(ctx, c); err == nil {
			s.term.Store(s.lease.term)
		}
		return err
	}
	return s.comeIn(ctx, c)
}

// Deaf says why no stream tells this server of commits; "" if one does, or it was not
// asked for.
func (s *Store) Deaf() string { return s.deaf }

// comeIn makes sure that the servers of the database are a cluster, and that this one
// belongs to it.
func (s *Store) comeIn(ctx context.Context, c *conn) error {
	if err := s.notTwice(ctx, c); err != nil {
		return err
	}
	if err := s.endLease(ctx, c); err != nil {
		return err
	}
	var database string
	err := c.each(ctx, "SELECT database, term FROM _pando_meta", func(v [][]byte) error {
		database = string(v[0])
		term, err := strconv.ParseUint(string(v[1]), 10, 64)
		s.term.Store(term)
		return err
	})
	if err != nil {
		return unavailable(err)
	}
	agreed := []struct {
		key, ours string
		fits      func(value string) bool
		otherwise string
	}{
		{"secret", s.opts.Shared.Proof(database), func(v string) bool { return s.opts.Shared.Proves(v, database) },
			"The servers of this database (%s) have another PANDO_CLUSTER_SECRET. Give this one the same; to change it, give every server the new one and the old one, with a comma between, first."},
		{"files", s.opts.Shared.Files, func(v string) bool { return v == s.opts.Shared.Files },
			"The servers of this database (%s) keep their files elsewhere. Give all of them the same --blob, a bucket or a directory that all can reach: what lies in the data directory of one server no other has."},
	}
	for _, a := range agreed {
		if err := s.agree(ctx, c, a.key, a.ours, a.fits, a.otherwise); err != nil {
			return err
		}
	}
	return nil
}

// notTwice refuses to come in where a process with this server's identity lives: both
// would take each other's place again and again. One that has crashed leaves its row
// behind, and must be able to come back at once: nobody listens at its address.
func (s *Store) notTwice(ctx context.Context, c *conn) error {
	own := func() (list []registry.Member, err error) {
		err = c.run(ctx, &query{
			sql: membersSQL + " WHERE id = $1", args: texts(s.opts.Identity), text: true, once: true, row: memberRow(&list),
		})
		return list, unavailable(err)
	}
	first, err := own()
	if err != nil || len(first) == 0 || first[0].Address == s.opts.Shared.Address {
		return err
	}
	dialing, cancel := context.WithTimeout(ctx, leaseBeat/2)
	defer cancel()
	there, err := new(net.Dialer).DialContext(dialing, "tcp", first[0].Address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err == nil {
		there.Close()
	}
	end := time.NewTimer(ownTime)
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
		now, err := own()
		if err != nil {
			return err
		}
		if len(now) > 0 && !now[0].Same(first[0]) {
			return pando.Invalid("A server with the identity of this one is in the cluster already, at %s. If the data directory was copied, delete the file server-id in the copy: each server needs its own.", now[0].Address)
		}
	}
}

// ownTime is more than a member needs to renew its row.
const ownTime = 2500 * time.Millisecond

// endLease waits for an only server to be gone. Nothing of it may still be under way
// then, as with any that comes after it. Several may do so at once, of which one takes
// the lease for a moment.
func (s *Store) endLease(ctx context.Context, c *conn) error {
	for {
		h, err := readHolder(ctx, c)
		if err != nil || !h.there {
			return unavailable(err)
		}
		if h.id != s.opts.Identity {
			if err := s.outlive(ctx, c, h); err != nil {
				return err
			}
		}
		term, err := s.replaceHolder(ctx, c, h, nil)
		if err != nil {
			return unavailable(err)
		}
		if term > 0 {
			return unavailable(simply(ctx, c, &query{sql: "DELETE FROM _pando_lease WHERE term = $1", args: texts(number(term))}))
		}
	}
}

// agree compares what this server has with what the cluster has noted. If there is
// nobody left whom it concerned, it notes its own. Several may do so at once, of which
// one is the first.
func (s *Store) agree(ctx context.Context, c *conn, key, ours string, fits func(string) bool, otherwise string) error {
	for {
		var noted string
		there := false
		err := c.each(ctx, "SELECT value FROM _pando_cluster WHERE key = $1", func(v [][]byte) error {
			noted, there = string(v[0]), true
			return nil
		}, key)
		if err != nil {
			return unavailable(err)
		}
		if there && noted == ours {
			return nil
		}
		if there && !fits(noted) {
			if _, err := s.outliveMembers(ctx, c, "", otherwise); err != nil {
				return err
			}
		}
		note := &query{sql: "INSERT INTO _pando_cluster VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", args: texts(key, ours)}
		if there {
			note = &query{sql: "UPDATE _pando_cluster SET value = $2 WHERE key = $1 AND value = $3", args: texts(key, ours, noted)}
		}
		if err := simply(ctx, c, note); err != nil || note.rows() == 1 {
			return unavailable(err)
		}
	}
}

// simply runs a statement that cannot conflict with another, only come after it: the
// connections for writes are serializable.
func simply(ctx context.Context, c *conn, q *query) error {
	err := c.run(ctx, &query{sql: "BEGIN ISOLATION LEVEL READ COMMITTED"}, q, commitQuery())
	if err != nil && !c.broken() && c.pg.TxStatus() != 'I' {
		_ = c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

// Restored notes that the database is an older copy of itself: positions that were
// given out since mean nothing in it, so from now on it is of another incarnation.
func (s *Store) Restored(ctx context.Context, e position.Epoch, seen, flush position.N) error {
	s.log.Error("the database was restored from an older copy: what was written after that is lost", "known_up_to", seen, "log_ends_at", flush)
	n, c, err := s.nodes.writer(ctx)
	if err != nil {
		return err
	}
	defer n.release(c)
	return unavailable(simply(ctx, c, &query{sql: "UPDATE _pando_meta SET incarnation = incarnation + 1 WHERE incarnation = $1", args: texts(number(e.Incarnation))}))
}

const noSecret = "This database is used by a cluster of servers (%s). Stop them first, or give this one their PANDO_CLUSTER_SECRET to make it one of them."

// membersTime is for how long rows of members are watched: a member renews its own
// each second.
const membersTime = 4 * time.Second

// outliveMembers waits until no other member renews its row. It fails with otherwise,
// in which %s is who they are, if one does. dead are the rows that nobody has renewed;
// that of gone is known to be one: an only server is a cluster of one, and outlived as
// the only one.
func (s *Store) outliveMembers(ctx context.Context, c *conn, gone, otherwise string) (dead []registry.Member, err error) {
	first, err := s.otherMembers(ctx, c)
	if err != nil || !slices.ContainsFunc(first, func(m registry.Member) bool { return m.ID != gone }) {
		return first, err
	}
	end := time.NewTimer(membersTime)
	defer end.Stop()
	look := time.NewTicker(leaseBeat / 2)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-end.C:
			return first, nil
		case <-look.C:
		}
		now, err := s.otherMembers(ctx, c)
		if err != nil {
			return nil, err
		}
		var alive []string
		for _, m := range now {
			if !slices.ContainsFunc(first, m.Same) {
				alive = append(alive, m.Address)
			}
		}
		if len(alive) > 0 {
			return nil, pando.Invalid(otherwise, strings.Join(alive, ", "))
		}
	}
}

func (s *Store) otherMembers(ctx context.Context, c *conn) (list []registry.Member, err error) {
	err = c.run(ctx, &query{
		sql: membersSQL + " WHERE id <> $1 ORDER BY id", args: texts(s.opts.Identity), text: true, once: true,
		row: memberRow(&list),
	})
	return list, unavailable(err)
}

// bury removes the rows of dead members; false if there are others.
func (s *Store) bury(ctx context.Context, c *conn, dead []registry.Member) (bool, error) {
	for _, m := range dead {
		if err := c.each(ctx, "DELETE FROM _pando_members WHERE id = $1 AND boot = $2 AND beat = $3", nil, m.ID, m.Boot, number(m.Beat)); err != nil {
			return false, err
		}
	}
	left, err := s.otherMembers(ctx, c)
	return len(left) == 0, err
}

// errNotShared is what a member is told that comes while there is an only server.
var errNotShared = &pando.Error{
	Kind:    pando.KindUnavailable,
	Message: "Another Pando server uses this database as the only one. Stop it first, or give both the same PANDO_CLUSTER_SECRET.",
}
