package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando/internal/position"
)

// life is what is known of one life of a host (topology.Member) when a connection to
// it is opened.
type life struct {
	instance uint64
	reached  position.N
}

// instanceSQL names a run of the server, by when it began. One that has lost a process
// to a signal ends all the others, and recovers from its log, without a start of its own:
// then it throws its statistics away, which everybody may see (and which a person can do
// too; that looks like another run). A promotion changes neither. Before PostgreSQL 15
// another process has the statistics, which may be slow to give them; there the one that
// makes checkpoints tells, to members of pg_monitor.
//
// It is asked for ten times a second. A function's column is ten times as cheap as the view
// of it, and one that is not called costs nothing, not even to plan.
func instanceSQL(c *pgconn.PgConn) string {
	since := "(pg_stat_get_archiver()).stats_reset"
	if majorVersion(c) < 15 {
		since = "(SELECT max(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer')"
	}
	return "(extract(epoch FROM greatest(pg_postmaster_start_time(), " + since + ")) * 1000000)::bigint"
}

// majorVersion is what the server has called itself, such as 15 of "15.18 (Debian)" or 19
// of "19beta1".
func majorVersion(c *pgconn.PgConn) (n int) {
	_, _ = fmt.Sscan(c.ParameterStatus("server_version"), &n)
	return n
}

// errOtherLife is answered by the next probe: it begins the life that this is of, if
// the watcher finds that the host may be used.
var errOtherLife = &lostError{errors.New("the host has been restarted")}

// continues fails unless a new connection is of this life. A server that has been
// started again since the last probe may be a copy with fewer commits, and a replica
// that has gone down alone begins behind what it had shown. Either ends every
// connection that there was, so that each need be looked at only when it is new. (Those
// to a pooler such as PgBouncer live on; through one no log is followed, and so nothing
// is cached.)
func (l life) continues(ctx context.Context, c *conn) error {
	var instance, at uint64
	sql := "SELECT " + instanceSQL(c.pg) + ", " +
		"coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0', 0)"
	err := c.each(ctx, sql, func(v [][]byte) error {
		var first, second error
		instance, first = strconv.ParseUint(string(v[0]), 10, 64)
		at, second = strconv.ParseUint(string(v[1]), 10, 64)
		return errors.Join(first, second)
	})
	if err == nil && (instance != l.instance || position.N(at) < l.reached) {
		return errOtherLife
	}
	return err
}
