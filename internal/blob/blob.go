// Package blob is the contract of the place where files lie. Its executable
// suite is internal/blob/blobtest.
package blob

import (
	"context"
	"io"
	"time"
)

// Store keeps files under slash-separated keys
// (collectionID/recordID/filename). All methods may be called at once.
type Store interface {
	// Put writes a whole file, on disk before it returns, or leaves nothing.
	Put(ctx context.Context, key string, r io.Reader) error
	// Open opens a file; a KindNotFound error if there is none.
	Open(ctx context.Context, key string) (Object, error)
	// Delete removes a file; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// DeleteAll removes every file whose key begins with prefix + "/".
	DeleteAll(ctx context.Context, prefix string) error

	// Undecided notes, on disk before it returns, that the fate of these files
	// hangs on a transaction that has not ended; Decided takes the note back.
	// After a crash, Pending lists what is still noted, and the database is
	// asked: a file that a record names stays, any other goes. A collection's
	// id alone stands for all its files.
	Undecided(ctx context.Context, keys []string) error
	Decided(ctx context.Context, keys []string) error
	Pending(ctx context.Context) ([]string, error)
}

// Object is an open file.
type Object interface {
	io.ReadSeekCloser
	Size() int64 // bytes
	Modified() time.Time
}
