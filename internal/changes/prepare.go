package changes

import "context"

type preparedKey struct{}

// Prepare says to the Delete of a transaction that is called with the context what is to
// go with its Change: what a follower can find out only while the record is there. It
// comes back with that very deletion once it is committed, on this server alone, or not
// at all.
func Prepare(ctx context.Context, what any) context.Context {
	return context.WithValue(ctx, preparedKey{}, what)
}

// Prepared is what Prepare was told, nil if nothing.
func Prepared(ctx context.Context) any { return ctx.Value(preparedKey{}) }
