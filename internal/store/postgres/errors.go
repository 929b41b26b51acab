package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pandobase/pando"
)

// SQLSTATE codes that mean something to us.
const (
	codeSerialization    = "40001"
	codeDeadlock         = "40P01"
	codeUnique           = "23505"
	codeInvalidParameter = "22023"
	codeDivision         = "22012"
	codeCanceled         = "57014"
	codeReadOnly         = "25006"
	codeDiskFull         = "53100"
	codeTooMany          = "53300"
	codeLockTimeout      = "55P03"
	codeUndefinedTable   = "42P01"
	codeUndefinedColumn  = "42703"
	codeIdle             = "25P03"
	codeStalePlan        = "0A000" // "cached plan must not change result type", among others
	codeUnknownStatement = "26000"
	codeKnownStatement   = "42P05"
	codeDependents       = "2BP01"
	codePrivilege        = "42501"
)

// codeOf is PostgreSQL's code of a failure, "" if it is none of PostgreSQL's.
func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// unavailable gives a failure of the machine its kind and words for people;
// other errors, nil included, pass as they are.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	if _, known := errors.AsType[*pando.Error](err); known || errors.Is(err, context.Canceled) {
		return err
	}
	message := ""
	switch code := codeOf(err); {
	case code == codeDiskFull:
		message = "The storage is full. Nothing was written; free some space and try again."
	case code == codeTooMany:
		message = "The database has no connection free. Please try again in a moment."
	case code == codeReadOnly:
		message = "The database accepts no writes at the moment."
	case code == codeSerialization || code == codeDeadlock:
		message = "Others changed the same data at the same time, again and again. Please try again."
	case code == codeCanceled:
		message = "The query took too long and was stopped."
	case code == codeLockTimeout:
		message = "The data is locked by somebody else. Please try again in a moment."
	case strings.HasPrefix(code, "53") || strings.HasPrefix(code, "58") || strings.HasPrefix(code, "XX"):
		message = "The database does not work at the moment."
	case strings.HasPrefix(code, "57") || strings.HasPrefix(code, "08") || isLost(err):
		message = "The database cannot be reached at the moment."
	case errors.Is(err, context.DeadlineExceeded): // of a batch for instance
		message = "The database did not answer in time. Please try again in a moment."
	default:
		return err
	}
	return &pando.Error{Kind: pando.KindUnavailable, Message: message, Err: err}
}

// givenUp is a transaction that was run again too often, because of err: nothing
// that the one who asked for it could have done otherwise.
func givenUp(err error) error {
	err = unavailable(err)
	if pando.KindOf(err) != pando.KindInternal || errors.Is(err, context.Canceled) {
		return err
	}
	message := "The database cannot answer at the moment. Please try again in a moment."
	if errors.Is(err, errMoved) || errors.Is(err, errChanged) {
		message = "The collections are being changed at the moment. Please try again."
	}
	return &pando.Error{Kind: pando.KindUnavailable, Message: message, Err: err}
}

// isLost tells whether the connection failed, and not what was asked over it.
func isLost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || isPgError(err) {
		if code := codeOf(err); code != "" {
			return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P") || code == codeIdle
		}
		return false
	}
	for _, ok := range []bool{is[*lostError](err), is[*pgconn.ConnectError](err), errors.Is(err, errPoolClosed), pgconn.SafeToRetry(err)} {
		if ok {
			return true
		}
	}
	return false
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// words is what PostgreSQL says about a text that came from a user, as a
// KindInvalid error; failures of the machine keep their kind.
func words(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return unavailable(err)
	}
	switch e.Code[:2] {
	case "0A", "21", "22", "23", "2B", "2F", "38", "39", "3B", "3D", "3F", "42", "44", "54", "P0":
		return &pando.Error{Kind: pando.KindInvalid, Message: sqlWords(err), Err: err}
	case "25":
		if e.Code == codeReadOnly {
			return &pando.Error{Kind: pando.KindInvalid, Message: sqlWords(err), Err: err}
		}
	}
	return unavailable(err)
}

// sqlWords is what PostgreSQL itself said.
func sqlWords(err error) string {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err.Error()
	}
	if e.Code == codeDependents && e.Detail != "" {
		return e.Message + ": " + strings.ReplaceAll(e.Detail, "\n", "; ")
	}
	return e.Message
}

// isSchemaError tells whether a statement did not fit the tables.
func isSchemaError(err error) bool {
	switch code := codeOf(err); code {
	case codeUndefinedTable, codeUndefinedColumn, codeStalePlan:
		return true
	default:
		// Another type: an operator that is not there, a value that is none.
		return code == "42883" || code == "42804" || strings.HasPrefix(code, "22P")
	}
}

// isStaleStatement tells whether the server did not know, or no longer wants, a
// statement that was prepared: another try prepares it anew.
func isStaleStatement(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case codeUnknownStatement, codeKnownStatement:
		return true
	case codeStalePlan:
		return strings.Contains(e.Message, "cached plan")
	}
	return false
}

// conflictsWithRecovery tells whether a replica stopped a query because it had to
// go on with what the primary sent.
func conflictsWithRecovery(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == codeCanceled && strings.Contains(e.Message, "recovery")
}
