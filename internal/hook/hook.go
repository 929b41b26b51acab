// Package hook is the extension points of the services: typed chains of
// handlers around an operation, as users of the Go library hang them in.
package hook

import "context"

// Handler wraps an operation. It goes on by calling next, before or after its
// own work; not calling it, or failing, stops the operation.
type Handler[E any] func(ctx context.Context, e E, next func(context.Context) error) error

// Chain is the handlers of one operation, called in the order they were added.
// Handlers are added before the server starts; after that it is only read.
type Chain[E any] struct {
	handlers []Handler[E]
}

// Add appends a handler.
func (c *Chain[E]) Add(h Handler[E]) { c.handlers = append(c.handlers, h) }

// Empty tells whether nobody listens, so that callers can spare the event.
func (c *Chain[E]) Empty() bool { return c == nil || len(c.handlers) == 0 }

// Run calls the handlers around final.
func (c *Chain[E]) Run(ctx context.Context, e E, final func(context.Context) error) error {
	if c.Empty() {
		return final(ctx)
	}
	next := final
	for i := len(c.handlers) - 1; i >= 0; i-- {
		h, inner := c.handlers[i], next
		next = func(ctx context.Context) error { return h(ctx, e, inner) }
	}
	return next(ctx)
}
