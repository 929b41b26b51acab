package postgres

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// Options says where a store lies and what it may use. Only URL is needed.
type Options struct {
	// URL is libpq's form, with one host or several in any order:
	// postgres://user:password@h1,h2:5433/database?sslmode=require.
	URL string

	// Index is told of every commit; nil means one that nobody else reads.
	Index *position.Index
	// Clock is set where a stream tells of all commits, those of other servers too
	// (stream.go): its index is then used in place of Index, Sinks are told by
	// whoever follows the stream, and no lease is taken.
	Clock *position.Clock
	// RefuseDegraded has reads fail while there is no primary, rather than go on with
	// what was known last.
	RefuseDegraded bool
	// CommitWait is how long the answer to a commit waits for the stream at most:
	// after that every server knows of it, or has lost its lease. 0 means 600 ms.
	CommitWait time.Duration
	// Held, if there is one, is told how long the answer to each commit waited for the
	// stream. It must be quick.
	Held func(time.Duration)
	// Sinks are given every batch, in commit order, before its answer.
	Sinks []changes.Sink

	// Identity says who holds the lease of the one server that may write: the id
	// of its data directory, which takes its own lease back at once. "" means a
	// new identity each time.
	Identity string
	// AnnounceDeletes writes each record that is deleted to the log, for other servers
	// of a cluster, whose subscribers want to know what it was.
	AnnounceDeletes bool
	// Shared is what the servers of a cluster agree on; nil: this one is the only one.
	Shared *Shared
	// OneShot is for commands beside a server: no lease is taken.
	OneShot bool

	// PoolSize is how many connections there may be to each host; 0 means what
	// the server allows and the machine can use.
	PoolSize int
	// PoolWait is how long a request waits for a connection; 0 means 5 seconds.
	PoolWait time.Duration
	// QueryTimeout is how long a query may run; 0 means 30 seconds.
	QueryTimeout time.Duration
	// WriteWait is how long a write waits for a primary, or for the answer to its
	// COMMIT; a change of the schema waits twice as long for each of its locks. 0 means
	// 5 seconds.
	WriteWait time.Duration

	Logger *slog.Logger // nil: slog.Default

	target bool          // see OpenTarget
	idle   time.Duration // for tests; 0: idleInTransaction

	dial func(ctx context.Context, network, address string) (net.Conn, error) // for tests; nil: net.Dialer
}

// idleInTransaction is for how long a transaction may stand still before PostgreSQL
// ends it. A server that is frozen, or out of reach, in the middle of one would keep its
// locks, and others from opening the log (they wait for all who write), for as long as
// the connection lives; one that comes back runs it again. Nothing is asked of anybody
// else within a transaction, and files are stored before it.
const idleInTransaction = 5 * time.Second

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Shared is what the servers of a cluster agree on before one joins.
type Shared struct {
	// Proof shows who has the secret, without telling it; Proves judges another's.
	Proof  func(database string) string
	Proves func(proof, database string) bool
	// Files tells where the files lie: each server must see the same ones.
	Files string
	// Address is this server's own, at which no other process can be.
	Address string
}

func (o *Options) complete() {
	o.AnnounceDeletes = o.AnnounceDeletes || o.Shared != nil
	if o.PoolWait <= 0 {
		o.PoolWait = 5 * time.Second
	}
	if o.QueryTimeout <= 0 {
		o.QueryTimeout = 30 * time.Second
	}
	if o.idle <= 0 {
		o.idle = idleInTransaction
	}
	if o.WriteWait <= 0 {
		o.WriteWait = 5 * time.Second
	}
	if o.CommitWait <= 0 {
		o.CommitWait = 600 * time.Millisecond
	}
	if o.Index == nil {
		o.Index = position.NewIndex(0)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.dial == nil {
		d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
		o.dial = d.DialContext
	}
}

const dialTimeout = 2 * time.Second
