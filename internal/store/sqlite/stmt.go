package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// stmt is a prepared statement of one connection. Parameters and columns count
// from 0.
type stmt struct {
	c      *conn
	handle uintptr
	query  string
	used   uint64 // conn.clock at the last use
	busy   bool   // bound or running; until reset
	failed error  // of a bind, told by the next step
}

// finalize ends a statement; nil is allowed.
func (s *stmt) finalize() {
	if s != nil {
		s.reset()
		lib.Xsqlite3_finalize(s.c.tls, s.handle)
	}
}

// start marks s as in use, so that nothing it was bound to goes away.
func (s *stmt) start() {
	if !s.busy {
		s.busy = true
		s.c.busy++
	}
}

// reset ends a run. Every statement that was bound or stepped must be reset.
func (s *stmt) reset() {
	if !s.busy {
		return
	}
	lib.Xsqlite3_reset(s.c.tls, s.handle) // its error is that of the last step
	s.busy, s.failed = false, nil
	if s.c.busy--; s.c.busy == 0 {
		s.c.arena.reset(s.c.tls)
	}
}

// run binds args and runs the statement to its end.
func (s *stmt) run(args ...any) error {
	defer s.reset()
	s.bindAll(args)
	for {
		if row, err := s.step(); err != nil || !row {
			return err
		}
	}
}

// step goes to the next row; false is the end.
func (s *stmt) step() (bool, error) {
	if s.failed != nil {
		return false, s.failed
	}
	s.start()
	switch rc := lib.Xsqlite3_step(s.c.tls, s.handle); rc {
	case lib.SQLITE_ROW:
		return true, nil
	case lib.SQLITE_DONE:
		return false, nil
	default:
		if rc&0xff == lib.SQLITE_INTERRUPT && s.c.stop != nil {
			return false, s.c.stop
		}
		if rc&0xff == lib.SQLITE_INTERRUPT && s.c.ctx != nil && s.c.ctx.Err() != nil {
			return false, fmt.Errorf("query stopped: %w", s.c.ctx.Err())
		}
		return false, s.c.failure(rc)
	}
}

// bindAll binds what a query was generated with.
func (s *stmt) bindAll(args []any) {
	for i, v := range args {
		s.bind(i, v)
	}
}

func (s *stmt) bind(i int, v any) {
	switch v := v.(type) {
	case nil:
		s.bindNull(i)
	case string:
		s.bindText(i, v)
	case float64:
		s.bindFloat(i, v)
	case bool:
		s.bindBool(i, v)
	case int:
		s.bindInt(i, int64(v))
	case int64:
		s.bindInt(i, v)
	case uint64:
		s.bindInt(i, int64(v))
	case []byte:
		s.bindBlob(i, v)
	default:
		s.check(lib.SQLITE_MISUSE)
		s.failed = fmt.Errorf("sqlite: cannot bind a %T", v)
	}
}

func (s *stmt) check(rc int32) {
	if rc != lib.SQLITE_OK && s.failed == nil {
		s.failed = s.c.failure(rc)
	}
}

func (s *stmt) bindText(i int, v string) {
	s.start()
	at := s.c.arena.put(s.c.tls, v)
	s.check(lib.Xsqlite3_bind_text(s.c.tls, s.handle, int32(i+1), at, int32(len(v)), lib.SQLITE_STATIC))
}

func (s *stmt) bindBlob(i int, v []byte) {
	s.start()
	at := s.c.arena.put(s.c.tls, unsafe.String(unsafe.SliceData(v), len(v)))
	s.check(lib.Xsqlite3_bind_blob(s.c.tls, s.handle, int32(i+1), at, int32(len(v)), lib.SQLITE_STATIC))
}

func (s *stmt) bindInt(i int, v int64) {
	s.start()
	s.check(lib.Xsqlite3_bind_int64(s.c.tls, s.handle, int32(i+1), v))
}

func (s *stmt) bindFloat(i int, v float64) {
	s.start()
	s.check(lib.Xsqlite3_bind_double(s.c.tls, s.handle, int32(i+1), v))
}

func (s *stmt) bindBool(i int, v bool) {
	if v {
		s.bindInt(i, 1)
	} else {
		s.bindInt(i, 0)
	}
}

func (s *stmt) bindNull(i int) {
	s.start()
	s.check(lib.Xsqlite3_bind_null(s.c.tls, s.handle, int32(i+1)))
}

// int is a column of the row as an integer.
func (s *stmt) int(i int) int64 {
	return lib.Xsqlite3_column_int64(s.c.tls, s.handle, int32(i))
}

// float is a column of the row as a number; a text counts as far as it reads
// like one.
func (s *stmt) float(i int) float64 {
	return lib.Xsqlite3_column_double(s.c.tls, s.handle, int32(i))
}

// raw is a column of the row as text in SQLite's memory: good until the next
// step or reset, never to be kept. NULL is empty.
func (s *stmt) raw(i int) []byte {
	address := lib.Xsqlite3_column_text(s.c.tls, s.handle, int32(i))
	if address == 0 {
		return nil
	}
	n := lib.Xsqlite3_column_bytes(s.c.tls, s.handle, int32(i))
	return bytesAt(address, int(n))
}

// text is a copy of a column of the row.
func (s *stmt) text(i int) string { return string(s.raw(i)) }

// blob is a copy of a column of the row; nil for NULL.
func (s *stmt) blob(i int) []byte {
	raw := s.rawBlob(i)
	if raw == nil && s.kind(i) == lib.SQLITE_NULL {
		return nil
	}
	return append([]byte{}, raw...)
}

// rawBlob is a column of the row in SQLite's memory, like raw.
func (s *stmt) rawBlob(i int) []byte {
	address := lib.Xsqlite3_column_blob(s.c.tls, s.handle, int32(i))
	if address == 0 {
		return nil
	}
	n := lib.Xsqlite3_column_bytes(s.c.tls, s.handle, int32(i))
	return bytesAt(address, int(n))
}

// kind is the storage class of a column of the row: SQLITE_NULL and so on.
func (s *stmt) kind(i int) int32 {
	return lib.Xsqlite3_column_type(s.c.tls, s.handle, int32(i))
}

// steps is how many steps of SQLite's machine s has taken since it was asked.
func (s *stmt) steps() int {
	return int(lib.Xsqlite3_stmt_status(s.c.tls, s.handle, lib.SQLITE_STMTSTATUS_VM_STEP, 1))
}

func (s *stmt) columns() int { return int(lib.Xsqlite3_column_count(s.c.tls, s.handle)) }

// readOnly tells whether running s cannot change the database.
func (s *stmt) readOnly() bool { return lib.Xsqlite3_stmt_readonly(s.c.tls, s.handle) != 0 }

// column tells the name of a result column, and the table's column that it is,
// if it is a plain one.
func (s *stmt) column(i int) (name, table, origin string) {
	name = goString(lib.Xsqlite3_column_name(s.c.tls, s.handle, int32(i)))
	table = goString(lib.Xsqlite3_column_table_name(s.c.tls, s.handle, int32(i)))
	origin = goString(lib.Xsqlite3_column_origin_name(s.c.tls, s.handle, int32(i)))
	return name, table, origin
}

func goString(p uintptr) string {
	if p == 0 {
		return ""
	}
	return libc.GoString(p)
}

// sqlError is a failure that SQLite reports.
type sqlError struct {
	code    int32  // extended result code
	message string // SQLite's own words
}

func (e *sqlError) Error() string { return fmt.Sprintf("sqlite: %s (%d)", e.message, e.code) }

// failure makes an error of a result code, with SQLite's words about it.
func (c *conn) failure(rc int32) error {
	e := &sqlError{code: rc, message: "error"}
	if c.db != 0 {
		e.message = goString(lib.Xsqlite3_errmsg(c.tls, c.db))
	}
	return e
}

// codeOf is the extended result code in err's chain, 0 if there is none.
func codeOf(err error) int32 {
	if e, ok := errors.AsType[*sqlError](err); ok {
		return e.code
	}
	return 0
}

// trimSQL takes blanks, semicolons and comments off the front of a text.
func trimSQL(s string) string {
	for {
		s = strings.TrimLeft(s, " \t\r\n\f;")
		switch {
		case strings.HasPrefix(s, "--"):
			_, s, _ = strings.Cut(s, "\n")
		case strings.HasPrefix(s, "/*"):
			_, s, _ = strings.Cut(s[2:], "*/")
		default:
			return s
		}
	}
}
