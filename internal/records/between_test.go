package records_test

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/store"
)

// between stands between the service and its store, for what a database on one
// machine does not do by itself. What is nil changes nothing.
type between struct {
	store.Store
	read  func() error // fails a Read
	write func(run func() (position.N, error), fn *func(store.Tx) error) (position.N, error)
}

// install puts b before the store of a world.
func (b *between) install(c *records.Config) {
	b.Store, c.Store = c.Store, b
}

func (b *between) Read(ctx context.Context, fn func(store.Reader) error) error {
	if b.read != nil {
		if err := b.read(); err != nil {
			return err
		}
	}
	return b.Store.Read(ctx, fn)
}

func (b *between) Write(ctx context.Context, fn func(store.Tx) error) (position.N, error) {
	run := func() (position.N, error) { return b.Store.Write(ctx, fn) }
	if b.write == nil {
		return run()
	}
	return b.write(run, &fn)
}

var errUnknown = &pando.Error{
	Kind: pando.KindUnavailable, Message: "It may have been saved or not.", Data: pando.FieldErrors{"outcome": "unknown"},
}

// unsure has writes end without saying what became of them: they are made, or not.
func (b *between) unsure(made bool) {
	errUndone := errors.New("undone")
	b.write = func(run func() (position.N, error), fn *func(store.Tx) error) (position.N, error) {
		if inner := *fn; !made {
			*fn = func(tx store.Tx) error {
				if err := inner(tx); err != nil {
					return err
				}
				return errUndone
			}
		}
		if _, err := run(); err != nil && !errors.Is(err, errUndone) {
			return 0, err
		}
		return 0, errUnknown
	}
}
