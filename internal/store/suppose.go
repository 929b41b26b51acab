package store

import (
	"context"

	"github.com/pandobase/pando"
)

// Supposer is an ability of some Txs: to take for granted that records are there,
// and to look when something is sent to the database anyway. Who asks must do
// without it as well.
type Supposer interface {
	// Suppose tells whether there is a record of c for each of ids. True may be
	// a guess: if it turns out to be wrong, fn is run again, whatever it
	// returned, and is told the truth.
	Suppose(ctx context.Context, c *pando.Collection, ids []string) (bool, error)
}

// AllThere tells whether there is a record of c for each of ids, without a round
// trip of its own where that can be saved.
func AllThere(ctx context.Context, r Reader, c *pando.Collection, ids []string) (bool, error) {
	if s, ok := r.(Supposer); ok {
		return s.Suppose(ctx, c, ids)
	}
	recs, err := r.Records(ctx, c, ids)
	return err == nil && len(recs) == len(ids), err
}
