package store

import "context"

type oneKey struct{}

// One says to Read, or to whatever reads through it, that fn asks its Reader one
// thing. A store across a network saves itself a transaction, and runs fn again
// if it asks more after all.
func One(ctx context.Context) context.Context { return context.WithValue(ctx, oneKey{}, true) }

// IsOne tells whether One was said.
func IsOne(ctx context.Context) bool { return ctx.Value(oneKey{}) != nil }
