package auth

import (
	"context"
	"errors"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// errMoved says that what somebody is let in by may not be what it was when the request
// began.
var errMoved = errors.New("auth: the collections or the record were changed meanwhile")

// maxRestarts bounds how often one request begins anew.
const maxRestarts = 20

// anew runs f with the newest catalog, and again as long as f says that something may
// have moved.
func (a *Auth) anew(f func(*store.Catalog) error) error {
	var err error
	for range maxRestarts {
		if err = f(a.store.Catalog()); !errors.Is(err, errMoved) {
			return err
		}
	}
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "The collections are being changed at this moment. Please try again.",
	}
}

// readAs is a read of data that a rule of catalog is asked about: what is older than the
// data is no rule for it.
func (a *Auth) readAs(ctx context.Context, catalog *store.Catalog, fn func(store.Reader) error) error {
	return a.store.Read(ctx, func(r store.Reader) error {
		if r.Catalog().Version != catalog.Version {
			return errMoved
		}
		return fn(r)
	})
}
