package position

import (
	"context"
	"time"
)

type leaseWaitKey struct{}

// WithLease has nothing that a request is judged by be read without a lease. Of reads an
// answer may be old if it says so; what a request changes stays, and whoever makes it may
// have lost the right to, as others know by now. It waits up to wait for a lease.
func WithLease(ctx context.Context, wait time.Duration) context.Context {
	return context.WithValue(ctx, leaseWaitKey{}, wait)
}

// NeedsLease tells whether that is so.
func NeedsLease(ctx context.Context) bool { return leaseWait(ctx) > 0 }

// leaseWait is how long a request waits that needs a lease; 0: it needs none.
func leaseWait(ctx context.Context) time.Duration {
	wait, _ := ctx.Value(leaseWaitKey{}).(time.Duration)
	return wait
}
