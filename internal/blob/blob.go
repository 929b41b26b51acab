// Package blob is the contract of the place where files lie. Its executable
// suite is internal/blob/blobtest.
package blob

import (
	"context"
	"errors"
	"io"
	"time"
)

// Store keeps files under slash-separated keys
// (collectionID/recordID/filename). All methods may be called at once.
type Store interface {
	// Put writes a whole file, on disk before it returns, or leaves nothing. It fails
	// with ErrAstray if the file may come to be there yet.
	Put(ctx context.Context, key string, r io.Reader) error
	// Open opens a file; a KindNotFound error if there is none.
	Open(ctx context.Context, key string) (Object, error)
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// DeleteAll removes every file whose key begins with prefix + "/".
	DeleteAll(ctx context.Context, prefix string) error

	// Undecided notes, on disk before it returns and in the name of this server,
	// that the fate of these files hangs on a transaction that has not ended;
	// Decided takes the note back. A collection's id alone stands for all its
	// files.
	Undecided(ctx context.Context, keys []string) error
	Decided(ctx context.Context, keys []string) error
	// Pending lists all notes there are, those of other servers too if they share
	// the store. Where the writer of one is gone, the database is asked: a file
	// that a record names stays, any other goes. Then Settled takes the notes
	// away, whoever made them.
	Pending(ctx context.Context) ([]Note, error)
	Settled(ctx context.Context, notes []Note) error
}

// Note says that a transaction was to decide about a file.
type Note struct {
	Key  string
	ID   string        // by which the store knows it
	Own  bool          // made by this server, in this process or an earlier one
	Held bool          // by a transaction of this very process
	Age  time.Duration // by the store's clock
}

// The writer of a note that is Stale has died, or given up. Whoever makes a note
// must not commit later than DecideWithin: a process that was frozen in between,
// for hours perhaps, would name a file that others have removed.
const (
	Stale        = time.Hour
	DecideWithin = Stale / 2
)

// ErrAstray is of a store a network away that has not said what became of a file:
// it may still be on its way there.
var ErrAstray = errors.New("blob: the file may still be on its way")

// Object is an open file.
type Object interface {
	io.ReadSeekCloser
	Size() int64 // bytes
	Modified() time.Time
}
