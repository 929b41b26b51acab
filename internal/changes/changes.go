// Package changes is the contract of the ordered stream of what was committed.
// Realtime and every other follower of the data reads it, never the store.
package changes

import (
	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// Action is what happened to a record.
type Action string

// The actions, as clients are told of them.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// Change is one record's change. Records are shared: do not change them.
type Change struct {
	Action Action
	Record *pando.Record // after a create or update; of a delete, what was deleted
	Old    *pando.Record // before an update; nil otherwise
	// Prepared is what went with a delete that was made here (see [Prepare]).
	Prepared any
}

// Batch is what one transaction committed. Batches are delivered in commit
// order, each exactly once.
type Batch struct {
	Position position.N
	Run      position.Run // by whose log that is; zero where no log tells of commits
	Changes  []Change     // in the order the transaction made them
	Catalog  bool         // collections or settings changed
	// Elsewhere tells that another server or program made the transaction: Changes are
	// what the log says of it.
	Elsewhere bool
	// Unlisted tells that more records changed than Changes lists: a collection
	// was truncated or dropped, or another program wrote to the database.
	Unlisted bool
	// Missed are the ids of collections of which records changed that followers should
	// have been told of, and no batch lists. With Gap there may be such changes of any
	// collection, in this transaction or before it. Who tells others of changes has
	// them look again.
	Missed []string
	Gap    bool
}

// Sink takes batches from the one who commits. Publish is called in commit
// order, after the commit is visible and before it is answered; it must not
// block.
type Sink interface {
	// Publish hands a batch on. It does not wait for those who follow.
	Publish(Batch)
}

// Stream lets others follow.
type Stream interface {
	// Subscribe calls f, one batch at a time in order, on a goroutine of the
	// stream's own, from the next batch on until the returned function is
	// called. After that function has returned, f is not called again.
	Subscribe(f func(Batch)) (stop func())
}
