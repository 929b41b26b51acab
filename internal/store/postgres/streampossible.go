package postgres

import (
	"cmp"
	"context"
	"fmt"
)

// leftSQL counts the slots and connections that are left to us. Most servers of a
// cluster need none: those that others of it have are not taken from this one.
const leftSQL = `current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots WHERE NOT (slot_name ^@ 'pando_' AND temporary)),
	current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication s WHERE NOT EXISTS (
		SELECT FROM pg_replication_slots l WHERE l.active_pid = s.pid AND l.slot_name ^@ 'pando_' AND l.temporary))`

// StreamPossible tells whether the log of the present primary can be read; why says
// what is missing, and what to do.
func (s *Store) StreamPossible(ctx context.Context) (why string, ok bool) {
	n, c, err := s.nodes.reader(ctx, 0, true)
	if err != nil {
		return "The primary cannot be reached: " + err.Error(), false
	}
	defer n.release(c)
	return s.streamPossible(ctx, n, c)
}

func (s *Store) streamPossible(ctx context.Context, n *node, c *conn) (why string, ok bool) {
	err := c.each(ctx, `SELECT current_setting('wal_level'),
		(SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user),
		`+leftSQL+`,
		EXISTS (SELECT FROM pg_publication WHERE pubname = (`+publicationSQL+`)) OR has_database_privilege(current_database(), 'CREATE'),
		pg_is_in_recovery()`,
		func(v [][]byte) error {
			why = s.streamMissing(v)
			return nil
		})
	if err != nil {
		return "What the primary allows cannot be asked: " + err.Error(), false
	}
	if c.unnamed || n.cluster.pooled() || n.reads.pooled() {
		why = cmp.Or(why, "The database is reached through a pooler in transaction mode, which cannot hand on its log: name the servers themselves in the database URL.")
	}
	return why, why == ""
}

func (s *Store) streamMissing(v [][]byte) string {
	none := func(b []byte) bool { return len(b) > 0 && (b[0] == '-' || string(b) == "0") }
	switch {
	case string(v[5]) == "t":
		return "The server is a replica."
	case string(v[0]) != "logical":
		return fmt.Sprintf("wal_level is %s: set wal_level = logical in its configuration and restart it.", v[0])
	case string(v[1]) != "t":
		return fmt.Sprintf("The role %s may not read the log: ALTER ROLE %[1]s REPLICATION;", s.user())
	case none(v[2]):
		return "All replication slots are taken: raise max_replication_slots (a cluster takes two)."
	case none(v[3]):
		return "All connections for replication are taken: raise max_wal_senders (a cluster takes two)."
	case string(v[4]) != "t":
		return fmt.Sprintf("The role %s may not make a publication: GRANT CREATE ON DATABASE %s TO %[1]s;", s.user(), s.database())
	}
	return ""
}
