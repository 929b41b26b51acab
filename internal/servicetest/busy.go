package servicetest

import (
	"context"

	"github.com/pandobase/pando/internal/store"
)

// Busy is a store on which others change something before its N-th read.
type Busy struct {
	store.Store
	N      int
	Change func()
}

// Read is the store's.
func (s *Busy) Read(ctx context.Context, fn func(store.Reader) error) error {
	if s.N--; s.N == 0 {
		s.Change()
	}
	return s.Store.Read(ctx, fn)
}
