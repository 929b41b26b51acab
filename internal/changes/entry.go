package changes

import "github.com/pandobase/pando/internal/position"

// Entry is what the database's log says of one commit, whoever made it: a server
// of the cluster, or another program.
type Entry struct {
	N    position.N     // the position right behind the commit
	XID  uint64         // the database's number of the transaction, all 64 bits of it
	Tags []position.Tag // what changed
	// All tells that Tags do not name all that changed: everything must be judged
	// as if it had.
	All bool
	// Catalog tells that collections or settings changed; Version is then the
	// version of the catalog that the commit made, 0 if it does not say.
	Catalog bool
	Version uint64
	// Rows are the records that changed, in the order of the transaction, for
	// those who follow changes. Unlisted tells that there are more.
	Rows     []Row
	Unlisted bool
	// Gap tells that commits before this one may have come to nobody here. The log says
	// it of none.
	Gap bool
}

// Row is one record's change as the log has it.
type Row struct {
	Action     Action
	Collection string // its id
	ID         string // the record's
	Columns    []Column
}

// Column is a column's value as the log has it, in the database's text form.
type Column struct {
	Name  string
	Value []byte // nil is NULL
	// Unchanged tells that the value is a large one that the update did not
	// touch, which the log leaves out.
	Unchanged bool
}
