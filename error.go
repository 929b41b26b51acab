package pando

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an [Error] is. The set is closed; one function
// in the web edge maps it to HTTP.
type Kind uint8

const (
	KindInternal        Kind = iota // a fault of ours; its text never leaves the server
	KindInvalid                     // the input cannot be accepted (400)
	KindUnauthenticated             // who are you? (401)
	KindForbidden                   // known, and not allowed (403)
	KindNotFound                    // 404
	KindTooLarge                    // 413
	KindTooMany                     // 429
	KindUnavailable                 // cannot be served now, try again (503)
)

// Error is the one error type that crosses package borders in Pando.
type Error struct {
	Kind    Kind
	Message string // for people; starts with a capital, ends in punctuation
	// Data holds the failure of each field, by field name. Values are
	// *FieldError, or FieldErrors for a nested level. Of a write that may have
	// been made or not, outcome is "unknown".
	Data FieldErrors
	Err  error // the cause; logged, never sent
}

// FieldErrors maps a field (or, inside lists, the index as text) to what is
// wrong with it: a *FieldError, or a nested FieldErrors.
type FieldErrors map[string]any

// FieldError is one failed check. Code is stable and made for programs
// (validation_required …), Message is for people.
type FieldError struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Params  map[string]any `json:"params,omitempty"` // values that filled the message's template
}

// Error is the message for people.
func (e *FieldError) Error() string { return e.Message }

// Error is what a log shows: the message with the cause.
func (e *Error) Error() string {
	switch {
	case e.Err != nil && e.Message != "":
		return fmt.Sprintf("%s (%v)", e.Message, e.Err)
	case e.Err != nil:
		return e.Err.Error()
	case len(e.Data) > 0:
		return fmt.Sprintf("%s %v", e.Message, map[string]any(e.Data))
	default:
		return e.Message
	}
}

// Unwrap is the cause, nil if there is none.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first [Error] in err's chain, KindInternal if there
// is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// Invalid is a KindInvalid error without field data.
func Invalid(format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Message: fmt.Sprintf(format, args...)}
}

// NotFound is the usual KindNotFound error.
func NotFound() *Error {
	return &Error{Kind: KindNotFound, Message: "The requested resource wasn't found."}
}
