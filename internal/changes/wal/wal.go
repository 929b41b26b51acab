package wal

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// Config is what a [Log] has to know of the database. All but Waiting and Logger
// is needed.
type Config struct {
	// Primary is the present primary and how to connect to it. gone is closed when
	// it is the primary no more. It makes sure that the publication is there.
	Primary func(ctx context.Context) (cfg *pgconn.Config, gone <-chan struct{}, err error)
	// Load reads the state of the database in the snapshot that the connection's
	// transaction has. It has the simple protocol only. It fails on a replica.
	Load func(ctx context.Context, c *pgconn.PgConn) (State, error)
	// Settle makes a synchronous commit on the primary, of whatever.
	Settle func(ctx context.Context) error
	// Waiting says in words whom a session of the primary waits for, "" if for
	// nobody.
	Waiting func(ctx context.Context, pid uint32) string

	Tables Tables
	Logger *slog.Logger // nil: slog.Default
}

// Tables are the names of the store's own tables, and the tags of what lies in them.
type Tables struct {
	// Collections has a row for each collection: its primary key seq, id and name.
	Collections string
	// Meta has one row; its column catalog is the version of the catalog.
	Meta string
	// Settings is part of the catalog.
	Settings string
	// Params has values that are no records, by key.
	Params   string
	ParamTag func(key string) position.Tag
	// CatalogTag changes with the catalog.
	CatalogTag position.Tag
	// ID is the primary key's column of each collection.
	ID string
}

// State is where the log begins.
type State struct {
	Database    uint64 // of the epoch; its timeline comes from the connection
	Incarnation uint64
	Instance    uint64 // of the server: see Reader.Instance
	Publication string
	Schema      string // where the tables lie
	Catalog     uint64 // the version
	XID         uint64 // the next transaction's number, all 64 bits of it
	Collections []Collection
}

// Collection is a row of the table of collections.
type Collection struct{ Seq, ID, Name string }

// Log is a changes.Log.
type Log struct{ cfg Config }

var _ changes.Log = (*Log)(nil)

// New makes a log. It connects with Open only.
func New(cfg Config) *Log {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Waiting == nil {
		cfg.Waiting = func(context.Context, uint32) string { return "" }
	}
	return &Log{cfg: cfg}
}

// MessagePrefix is that of the messages in the log that are for us
// (pg_logical_emit_message). Their contents begin with one of the words below.
const MessagePrefix = "pando"

// MessageAll says that everything may have changed.
const MessageAll = "all"

// MessageEmptied begins a message that says that all records of a collection were
// deleted at once; its id follows. Nobody is told of them one by one.
const MessageEmptied = "emptied "

// MessageTouched begins a message that says that a record was updated of which nothing
// has changed, and what it is; JSON follows: {"collection": its id, "id": the record's,
// "columns": {name: text or null, …}}. The version before left the columns out.
const MessageTouched = "touched "

// MessageDeleted begins a message that holds a record that its transaction has
// deleted; JSON follows: {"collection": its id, "columns": {name: text or null}}.
const MessageDeleted = "deleted "
