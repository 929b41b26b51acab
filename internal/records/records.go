// Package records reads and writes records under the rules of their
// collections: it is the [pando.Records] of one server, whatever lies below.
//
// A read (list.go, view.go) makes a key of everything that its answer depends on
// besides the data (key.go) and asks store.Facts for the encoded answer, which
// is filled from one snapshot: rules become conditions of the query, relations
// are expanded (expand.go), and the viewer's rights decide what is shown
// (show.go). What can be said about a query before any data is read is compiled
// once per catalog version (plan.go, shape.go).
//
// A write (write.go) is one or more operations in one transaction. What was
// submitted is cast before it (draft.go); inside, the stored record is read, the
// rule asked, the new record made, checked (validate.go) and stored. Passwords
// are hashed and files put on disk outside the transaction: whoever finds inside
// that something is missing ends it with a need, which is met before the next
// try.
package records

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/hook"
	"github.com/pandobase/pando/internal/store"
)

// hasher hashes and checks passwords, a bounded number at once.
type hasher interface {
	// Hash is the bcrypt hash of plain; cost 0 is the usual. It fails with
	// KindInvalid if plain is too long, KindUnavailable if too many wait.
	Hash(ctx context.Context, plain string, cost int) (string, error)
	// Verify tells whether hash was made from plain.
	Verify(ctx context.Context, hash, plain string) (bool, error)
}

// Config is what [New] needs. Store, Facts, Blobs and Passwords must be set.
type Config struct {
	Store     store.Store
	Facts     store.Facts
	Blobs     blob.Store
	Passwords hasher
	Hooks     *Hooks // nil: none

	// BeforeDelete is told of each record that is about to be deleted, by
	// cascade too, inside the transaction and while the record and everything
	// that refers to it are still there. It may run more than once for one
	// deletion, and deletions that fail later are told as well. That record is
	// deleted with the context that it returns. May be nil.
	BeforeDelete func(ctx context.Context, tx store.Tx, r *pando.Record) (context.Context, error)

	// Now and Sleep are the clock; nil is the real one. Sleep returns early with
	// ctx's error when that ends.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// Hooks is where users of the Go library hang in. Handlers run outside the
// transaction, so they may take their time and may use every service; what they
// do before next is not undone if the write fails.
type Hooks struct {
	Create, Update, Delete hook.Chain[*Event]
}

// Event is one write that a handler is asked about.
type Event struct {
	Collection *pando.Collection
	Request    *pando.Request
	// Record is what is to be written, or deleted. Before next, a handler of a
	// create or update may set its values, which are then checked like submitted
	// ones (a password is plain text there); after next it is as it was stored.
	Record *pando.Record
	// Old is the record as stored before an update; nil otherwise.
	Old *pando.Record
}

// Records is the [pando.Records] of one server. Its methods may be called at
// once.
type Records struct {
	store        store.Store
	facts        store.Facts
	blobs        blob.Store
	passwords    hasher
	hooks        *Hooks
	beforeDelete func(ctx context.Context, tx store.Tx, r *pando.Record) (context.Context, error)
	now          func() time.Time
	sleep        func(ctx context.Context, d time.Duration) error

	plans    atomic.Pointer[plans] // of the newest catalog that was asked about
	throttle throttle
}

var _ pando.Records = (*Records)(nil)

// New makes the service.
func New(c Config) *Records {
	s := &Records{
		store: c.Store, facts: c.Facts, blobs: c.Blobs, passwords: c.Passwords, hooks: c.Hooks,
		beforeDelete: c.BeforeDelete, now: c.Now, sleep: c.Sleep,
	}
	if s.hooks == nil {
		s.hooks = new(Hooks)
	}
	if s.beforeDelete == nil {
		s.beforeDelete = func(ctx context.Context, _ store.Tx, _ *pando.Record) (context.Context, error) { return ctx, nil }
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.sleep == nil {
		s.sleep = sleep
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
