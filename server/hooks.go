package server

import (
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

// OnRecordCreate adds a hook around the creation of records, by the API, in
// batches and by [Server.Records].
func (s *Server) OnRecordCreate(h Hook[*RecordEvent]) { s.parts.recordHooks.Create.Add(h) }

// OnRecordUpdate adds a hook around the update of records.
func (s *Server) OnRecordUpdate(h Hook[*RecordEvent]) { s.parts.recordHooks.Update.Add(h) }

// OnRecordDelete adds a hook around the deletion of records.
func (s *Server) OnRecordDelete(h Hook[*RecordEvent]) { s.parts.recordHooks.Delete.Add(h) }

// OnLogin adds a hook around logins of every kind, refresh included.
func (s *Server) OnLogin(h Hook[*LoginEvent]) { s.parts.authHooks.Login.Add(h) }
