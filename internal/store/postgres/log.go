package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando/internal/changes/wal"
)

// Log is the log of the store's database.
func (s *Store) Log() *wal.Log {
	return wal.New(wal.Config{
		Primary: s.logPrimary, Load: loadState, Waiting: s.waitingFor, Settle: s.Registry().settle,
		Tables: wal.Tables{
			Collections: "_pando_collections", Meta: "_pando_meta", Settings: "_pando_settings",
			Params: "_pando_params", ParamTag: paramTag, CatalogTag: catalogTag, ID: "id",
		},
		Logger: s.log,
	})
}

// logPrimary is the present primary, with the publication in it.
func (s *Store) logPrimary(ctx context.Context) (*pgconn.Config, <-chan struct{}, error) {
	n, c, err := s.nodes.keeper(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer n.release(c)
	if why, ok := s.streamPossible(ctx, n, c); !ok {
		return nil, nil, errors.New(why)
	}
	if err := s.publishTables(ctx, c); err != nil {
		return nil, nil, err
	}
	return onceRefused(n.reads.cfg), n.member.Gone(), nil
}

// loadState reads what the log begins with. It is the one reader of a connection for
// replication, which has no protocol but the simple one.
func loadState(ctx context.Context, c *pgconn.PgConn) (st wal.State, err error) {
	results, err := c.Exec(ctx, `SELECT database, incarnation, catalog, current_schema(), pg_snapshot_xmax(pg_current_snapshot()),
		pg_is_in_recovery(), (`+publicationSQL+`), `+instanceSQL(c)+` FROM _pando_meta;
		SELECT seq, id, name FROM _pando_collections`).ReadAll()
	if err != nil {
		return st, err
	}
	if len(results) != 2 || len(results[0].Rows) != 1 {
		return st, errors.New("_pando_meta is empty")
	}
	v := results[0].Rows[0]
	if string(v[5]) != "f" {
		return st, errNoPrimary
	}
	for i, to := range []*uint64{&st.Database, &st.Incarnation, &st.Catalog, nil, &st.XID, nil, nil, &st.Instance} {
		if to != nil {
			if *to, err = strconv.ParseUint(string(v[i]), 10, 64); err != nil {
				return st, err
			}
		}
	}
	st.Schema, st.Publication = string(v[3]), string(v[6])
	for _, row := range results[1].Rows {
		st.Collections = append(st.Collections, wal.Collection{Seq: string(row[0]), ID: string(row[1]), Name: string(row[2])})
	}
	return st, nil
}

// waitingFor says whom a session waits for.
func (s *Store) waitingFor(ctx context.Context, pid uint32) (whom string) {
	n, c, err := s.nodes.keeper(ctx)
	if err != nil {
		return ""
	}
	defer n.release(c)
	_ = c.each(ctx, `SELECT b.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(to_char(a.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS'), ''),
		(SELECT gid FROM pg_prepared_xacts ORDER BY prepared LIMIT 1)
		FROM unnest(pg_blocking_pids($1)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid LIMIT 1`,
		func(v [][]byte) error {
			switch {
			case string(v[0]) != "0":
				whom = fmt.Sprintf("process %s of the role %s (%s, in a transaction since %s UTC)", v[0], v[1], v[2], v[3])
			case v[4] != nil:
				whom = fmt.Sprintf("the prepared transaction %s", v[4])
			}
			return nil
		}, strconv.FormatUint(uint64(pid), 10))
	return whom
}
