package postgres

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// leftGrace is how long a query may still take whose client has gone. Nearly all are
// done by then, and their connection is there for the next; to end one at once costs two
// new connections, one that asks PostgreSQL to stop it and one in its place. Where clients
// do not wait because there is much to do, that would be most of what there is to do.
const leftGrace = 500 * time.Millisecond

// left ends a query when its context ends: at once if its time is over, with grace if
// its client has gone.
type left struct{ conn net.Conn }

func watchLeft(c *pgconn.PgConn) ctxwatch.Handler { return left{c.Conn()} }

// HandleCancel implements ctxwatch.Handler.
func (l left) HandleCancel(ctx context.Context) {
	until := time.Unix(1, 0)
	if errors.Is(context.Cause(ctx), context.Canceled) {
		until = time.Now().Add(leftGrace)
	}
	_ = l.conn.SetDeadline(until)
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (l left) HandleUnwatchAfterCancel() { _ = l.conn.SetDeadline(time.Time{}) }
