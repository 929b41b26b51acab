// Package store is the contract of the databases below Pando. Its comments are
// the specification; internal/store/storetest runs it against each adapter.
//
// A store keeps collections as real tables with typed columns, knows nothing of
// who asks (rules reach it only as conditions of a query), and stamps what is
// read with positions from the first day.
package store

import (
	"context"
	"io"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// Store is one database. All methods may be called at once.
//
// A context may carry a position.Session. What is read or written under it is
// not older than the session requires, and is noted in it.
type Store interface {
	// Catalog is the newest published catalog. A change of it is published
	// before the Write that made it returns.
	Catalog() *Catalog

	// Read runs fn on one consistent snapshot, which holds at least every write
	// answered before Read was called. fn must not keep the Reader, must not
	// call the store again, and should be short: an open snapshot holds the
	// log back. fn may run more than once (a replica is gone, or must not be
	// believed): it must touch nothing but variables that it sets anew each
	// time. Where it asks its Reader one thing as a rule, see [One].
	Read(ctx context.Context, fn func(Reader) error) error

	// Write runs fn in one transaction that is serial with all others, and
	// returns its position once it is on disk. If fn fails or panics, nothing
	// of it is kept and its error is returned as it is. fn may share a commit
	// with others' and may run more than once: it must touch nothing but its
	// Tx and variables that it sets anew each time. Once the commit has begun,
	// ctx no longer matters.
	//
	// A run of fn that is not kept may have been told what is not true: a store
	// may put off what fn changes, and run fn again if it turns out that a
	// change was refused. The last run is told the truth.
	//
	// An error whose Data has outcome: "unknown" says that the connection to the
	// database was lost, or the answer to COMMIT did not come in time, and nobody
	// knows whether fn's changes are there; they may come to be seen much later.
	// See [IsUnknown].
	Write(ctx context.Context, fn func(Tx) error) (position.N, error)

	// Backup writes a consistent copy of the database, as one file, to w while
	// the store serves. What kind of file it is is up to the store, which can
	// make an empty database of it.
	Backup(ctx context.Context, w io.Writer) error

	// Close ends the store after the writes under way.
	Close() error
}

// Reader reads one snapshot. It serves one goroutine.
type Reader interface {
	// Stamp is a position such that the snapshot holds every commit up to it.
	Stamp() position.N
	// Epoch is that of the stamp. It is the zero value where only one server ever
	// writes, and no position outlives it.
	Epoch() position.Epoch
	// Catalog is the catalog as of this snapshot.
	Catalog() *Catalog
	// Record finds one record; a KindNotFound error if there is none.
	Record(ctx context.Context, c *pando.Collection, id string) (*pando.Record, error)
	// Records finds many by id, in the order of ids; missing ones are left out.
	Records(ctx context.Context, c *pando.Collection, ids []string) ([]*pando.Record, error)
	// Find answers a query.
	Find(ctx context.Context, q Query) (Page, error)
	// DescribeView runs a view's query on at most no rows and tells its columns.
	// A query that is not one SELECT is refused with the database's own words
	// (KindInvalid).
	DescribeView(ctx context.Context, query string) ([]ViewColumn, error)
	// SampleView runs a view's query and returns up to limit rows as records
	// of c, whose fields are named as the query's columns.
	SampleView(ctx context.Context, c *pando.Collection, query string, limit int) ([]*pando.Record, error)
	// Param reads a value that is no record; nil if it was never set.
	Param(ctx context.Context, key string) ([]byte, error)
}

// Tx reads and writes in one transaction. It sees its own writes.
type Tx interface {
	Reader

	// Insert adds a record. A second record of one id, or a unique index in
	// the way, is a *UniqueError and leaves the transaction usable.
	Insert(ctx context.Context, r *pando.Record) error
	// Update replaces old, as read in this transaction, by r of the same id.
	// Failures as Insert.
	Update(ctx context.Context, old, r *pando.Record) error
	// Delete removes a record as read in this transaction. What the context has
	// for those who follow changes goes with this one (see changes.Prepare).
	Delete(ctx context.Context, r *pando.Record) error

	// SaveCollection creates c's table (old is nil) or changes old's into c's,
	// keeping the data: fields are matched by id, renamed, added, dropped, and
	// converted between single and multiple; indexes are rebuilt as c says.
	// The catalog of this Tx shows it at once. An index that cannot be made is
	// an *IndexError.
	SaveCollection(ctx context.Context, old, c *pando.Collection) error
	// DeleteCollection drops the table with everything in it.
	DeleteCollection(ctx context.Context, c *pando.Collection) error
	// Truncate removes all records of c at once, without a change for each.
	Truncate(ctx context.Context, c *pando.Collection) error
	// SaveSettings replaces the settings.
	SaveSettings(ctx context.Context, s *pando.Settings) error
	// SetParam stores a value that is no record; nil removes it.
	SetParam(ctx context.Context, key string, value []byte) error
}

// UniqueError is a write that a unique index, or the primary key, refused.
type UniqueError struct {
	Collection *pando.Collection
	Fields     []string // the columns of the index that are fields
	Index      string   // its name; "" for the primary key
	Err        error
}

// Error names the collection and quotes the database.
func (e *UniqueError) Error() string {
	return "store: not unique: " + e.Collection.Name + ": " + e.Err.Error()
}

// Unwrap is the database's own error.
func (e *UniqueError) Unwrap() error { return e.Err }

// IndexError is an index of a collection that the database refused to make.
type IndexError struct {
	Index int // its place in the collection's Indexes
	Err   error
}

// Error quotes the database.
func (e *IndexError) Error() string { return "store: index: " + e.Err.Error() }

// Unwrap is the database's own error.
func (e *IndexError) Unwrap() error { return e.Err }

// ViewColumn is one result column of a view's query.
type ViewColumn struct {
	Name   string // as the result calls it
	Table  string // the table or view it is a plain column of; "" for an expression
	Column string // that table's column
}
