package postgres

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// conn is one connection, used by one goroutine at a time.
type conn struct {
	pg   *pgconn.PgConn
	pool *pool

	unnamed bool // a pooler stands between, which gives each transaction another session
	stmts   map[string]*prepared
	fresh   []*prepared // sent with the present batch
	gone    []string    // names of dropped statements that the server still has
	kept    int         // bytes of the texts of stmts
	clock   uint64      // counts uses, for the statement cache
	names   uint64
	catalog uint64 // the version that the statements were prepared for

	trips   uint64      // round trips
	waited  bool        // a commit was not confirmed by the standby (a WARNING)
	hold    atomic.Bool // do not ask the server to cancel: a COMMIT is under way
	texts   []byte      // of the row being decoded
	ends    []int       // of each of them
	started time.Time
}

// errUnconfirmed is of a commit that may be taken back by a failover.
var errUnconfirmed = errors.New("postgres: the standby has not confirmed the commit")

// errHeld keeps pgconn from cancelling a COMMIT when its connection fails.
type errHeld struct{}

func (errHeld) Error() string { return "postgres: a COMMIT is not cancelled" }

// connect opens a connection with a configuration for one host.
func connect(ctx context.Context, cfg *pgconn.Config, unnamed bool) (*conn, error) {
	c := &conn{unnamed: unnamed, stmts: make(map[string]*prepared), started: time.Now()}
	cfg = onceRefused(cfg)
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if c.hold.Load() {
			return nil, errHeld{}
		}
		return dial(ctx, network, address)
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		// "canceling wait for synchronous replication due to …": committed here, and perhaps
		// nowhere else. Other warnings have that code too, those of triggers for instance.
		if n.Code == "01000" && n.SeverityUnlocalized == "WARNING" && (n.Routine == "SyncRepWaitForLSN" || n.Routine == "") {
			c.waited = true
		}
	}
	var err error
	c.pg, err = pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// close ends the connection and waits until it is gone.
func (c *conn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.pg.Close(ctx)
	<-c.pg.CleanupDone()
}

// cut closes the socket under a query that runs, without asking the server to
// stop it, which does not answer.
func (c *conn) cut() {
	c.hold.Store(true)
	_ = c.pg.Conn().Close()
}

// broken tells whether the connection cannot be used any more.
func (c *conn) broken() bool { return c.pg.IsClosed() }

// exec runs statements that yield nothing of interest, each once.
func (c *conn) exec(ctx context.Context, sql ...string) error {
	batch := make([]*query, len(sql))
	for i, text := range sql {
		batch[i] = &query{sql: text, once: true}
	}
	return c.run(ctx, batch...)
}

// each calls f for every row of a query, values as text, nil for NULL.
func (c *conn) each(ctx context.Context, sql string, f func(values [][]byte) error, args ...string) error {
	return c.run(ctx, &query{
		sql: sql, args: textArgs(args), text: true, once: true,
		row: func(_ *query, values [][]byte) error {
			if f == nil {
				return nil
			}
			return f(values)
		},
	})
}

func textArgs(args []string) [][]byte {
	list := make([][]byte, len(args))
	for i, a := range args {
		list[i] = textBytes(a)
	}
	return list
}

// queryInt runs a query that yields one integer.
func (c *conn) queryInt(ctx context.Context, sql string, args ...string) (n int64, err error) {
	err = c.each(ctx, sql, func(v [][]byte) error {
		n, err = strconv.ParseInt(string(v[0]), 10, 64)
		return err
	}, args...)
	return n, err
}

// isPooled tells whether a pooler stands between: it has given the connection a number of its
// own, not that of a process of the server.
func (c *conn) isPooled(ctx context.Context) (bool, error) {
	pid, err := c.queryInt(ctx, "SELECT pg_backend_pid()")
	return pid != int64(c.pg.PID()), err
}
