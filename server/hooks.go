package server

import (
	"context"
	"slices"
	"strings"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/auth"
	"github.com/pandobase/pando/internal/hook"
	"github.com/pandobase/pando/internal/records"
)

// RecordEvent is one write of a record that a hook is asked about.
type RecordEvent = records.Event

// LoginEvent is a login that is about to succeed.
type LoginEvent = auth.LoginEvent

// Hook wraps an operation: it goes on by calling next, before or after its own
// work. An error of its own, or not calling next, stops the operation; a
// *pando.Error reaches the client as it is.
type Hook[E any] = hook.Handler[E]

// OnRecordCreate adds a hook around the creation of records of the named
// collections (of all, if none is named): by the API, in batches and by
// [Server.Records].
func (s *Server) OnRecordCreate(h Hook[*RecordEvent], collections ...string) {
	s.parts.recordHooks.Create.Add(ofRecords(h, collections))
}

// OnRecordUpdate adds a hook around the update of records of the named
// collections.
func (s *Server) OnRecordUpdate(h Hook[*RecordEvent], collections ...string) {
	s.parts.recordHooks.Update.Add(ofRecords(h, collections))
}

// OnRecordDelete adds a hook around the deletion of records of the named
// collections.
func (s *Server) OnRecordDelete(h Hook[*RecordEvent], collections ...string) {
	s.parts.recordHooks.Delete.Add(ofRecords(h, collections))
}

// OnLogin adds a hook around logins of every kind, refresh included, to the
// named auth collections.
func (s *Server) OnLogin(h Hook[*LoginEvent], collections ...string) {
	s.parts.authHooks.Login.Add(func(ctx context.Context, e *LoginEvent, next func(context.Context) error) error {
		if !named(e.Record.Collection, collections) {
			return next(ctx)
		}
		return h(ctx, e, next)
	})
}

func ofRecords(h Hook[*RecordEvent], collections []string) Hook[*RecordEvent] {
	if len(collections) == 0 {
		return h
	}
	return func(ctx context.Context, e *RecordEvent, next func(context.Context) error) error {
		if !named(e.Collection, collections) {
			return next(ctx)
		}
		return h(ctx, e, next)
	}
}

// named tells whether c is one of collections, by name or id, or those are all.
func named(c *pando.Collection, collections []string) bool {
	return len(collections) == 0 || slices.ContainsFunc(collections, func(ref string) bool {
		return ref == c.ID || strings.EqualFold(ref, c.Name)
	})
}
