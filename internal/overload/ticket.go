package overload

import (
	"context"
	"sync"
)

// Ticket is of a request that was let in without a place. It needs one only if the
// database is to be asked: what the cache knows is answered sooner than refused.
type Ticket struct {
	take func() error

	mu    sync.Mutex
	asked bool
	err   error
}

// NewTicket makes one. take takes a place, or says why there is none; it is called once
// at most.
func NewTicket(take func() error) *Ticket { return &Ticket{take: take} }

type ticketKey struct{}

// With gives a request's context its ticket.
func (t *Ticket) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, ticketKey{}, t)
}

// Close has no place be taken from now on. It tells whether one was asked for.
func (t *Ticket) Close() (asked bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked, t.asked = t.asked, true
	return asked
}

// Placed tells whether the request of ctx has its place, or needs none any more.
func Placed(ctx context.Context) bool {
	t, _ := ctx.Value(ticketKey{}).(*Ticket)
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked && t.err == nil
}

// Admit is called before the database is asked: it takes the place that the request of
// ctx was let in without, if it was. The error is what that request is answered.
func Admit(ctx context.Context) error {
	t, _ := ctx.Value(ticketKey{}).(*Ticket)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.asked {
		t.asked = true
		t.err = t.take()
	}
	return t.err
}
