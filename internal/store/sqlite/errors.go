package sqlite

import (
	"errors"

	"github.com/pandobase/pando"
	lib "modernc.org/sqlite/lib"
)

// unavailable gives a failure of the machine its kind and words for people;
// other errors, nil included, pass as they are.
func unavailable(err error) error {
	var known *pando.Error
	if errors.As(err, &known) {
		return err
	}
	message := ""
	switch codeOf(err) & 0xff {
	case lib.SQLITE_FULL:
		message = "The storage is full. Nothing was written; free some space and try again."
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		message = "The database is locked by another program. Try again."
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_NOMEM:
		message = "The storage does not work at the moment."
	default:
		return err
	}
	return &pando.Error{Kind: pando.KindUnavailable, Message: message, Err: err}
}

// damaged says what to do about a file whose pages do not fit together; other
// errors pass as they are.
func (s *Store) damaged(err error) error {
	if codeOf(err)&0xff != lib.SQLITE_CORRUPT {
		return err
	}
	return &pando.Error{
		Kind: pando.KindInvalid, Err: err,
		Message: "The database " + s.path + " is damaged. Restore a backup into a new directory with `pando backup restore`.",
	}
}

// words is what SQLite says about a text that came from a user, as a
// KindInvalid error; failures of the machine keep their kind.
func words(err error) error {
	e, ok := errors.AsType[*sqlError](err)
	if !ok {
		return err
	}
	switch e.code & 0xff {
	case lib.SQLITE_ERROR, lib.SQLITE_AUTH, lib.SQLITE_CONSTRAINT, lib.SQLITE_MISMATCH,
		lib.SQLITE_RANGE, lib.SQLITE_TOOBIG, lib.SQLITE_MISUSE:
		return &pando.Error{Kind: pando.KindInvalid, Message: e.message, Err: err}
	}
	return unavailable(err)
}

// sqlWords is what SQLite itself said.
func sqlWords(err error) string {
	if e, ok := errors.AsType[*sqlError](err); ok {
		return e.message
	}
	return err.Error()
}
