package postgres

import (
	"context"
	"errors"
	"strconv"

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
const instanceSQL = `(extract(epoch FROM greatest(pg_postmaster_start_time(),
	CASE WHEN current_setting('server_version_num')::int >= 150000 THEN (SELECT stats_reset FROM pg_stat_archiver)
		ELSE (SELECT max(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer') END)) * 1000000)::bigint`

const lifeSQL = `SELECT ` + instanceSQL + `,
	coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END - '0/0', 0)`

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
	err := c.each(ctx, lifeSQL, func(v [][]byte) error {
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
