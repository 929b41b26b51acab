package sqlite

import (
	"context"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"modernc.org/libc"

	"github.com/pandobase/pando"
	lib "modernc.org/sqlite/lib"
)

// progressSteps is how many steps of SQLite's machine run between two looks at
// the context: about 20 µs of work.
const progressSteps = 2000

// What prepared statements a connection keeps. An application has some dozens
// of rules and sorts; filters that clients make up push each other out. A
// prepared statement takes about twenty times the length of its text.
const (
	statementCacheSize = 256
	statementCacheText = 192 << 10 // bytes of all texts
)

// conn is one connection, used by one goroutine at a time. It speaks to
// SQLite's own API rather than through database/sql: a record by id costs
// 4 µs instead of 9, and a statement stays with its connection. The other
// low-level binding, zombiezen.com/go/sqlite, allocates for each value bound,
// starts a goroutine for each context, and does not tell which table's column a
// result is.
type conn struct {
	tls   *libc.TLS
	db    uintptr
	id    uintptr // names the connection in callbacks
	ctx   context.Context
	allow authorizer // asked about every statement being prepared, if set

	stmts map[string]*stmt
	kept  int    // bytes of the texts of stmts
	clock uint64 // counts uses, for the statement cache
	arena arena  // holds what is bound
	busy  int    // statements bound or running

	logPages int      // length of the log after the last commit; the writer's only
	rows     rowNotes // changed since the last commit; the writer's only

	texts []byte // of the row being decoded
	ends  []int  // of each of them

	// The time that queries may take, for the connections of a pool.
	pool   *pool
	limits *queryLimits // nil: none
	began  time.Time    // of the query that runs; zero: it is not limited
	long   bool         // stepped aside from its pool
	stop   error        // why the query was stopped
}

// conns finds a connection in a callback from SQLite, which can hand over one
// integer and no Go pointer.
var conns struct {
	sync.RWMutex
	byID map[uintptr]*conn
	next uintptr
}

// openConn opens the file at path, which must be writable. Nothing waits for a
// lock longer than busy.
func openConn(path string, busy time.Duration) (*conn, error) {
	driver, err := vfsName()
	if err != nil {
		return nil, err
	}
	c := &conn{tls: libc.NewTLS(), stmts: make(map[string]*stmt)}
	name, err := libc.CString(path)
	if err != nil {
		c.tls.Close()
		return nil, err
	}
	defer libc.Xfree(c.tls, name)
	out := libc.Xmalloc(c.tls, 8)
	defer libc.Xfree(c.tls, out)
	*at[uintptr](out) = 0
	const flags = lib.SQLITE_OPEN_READWRITE | lib.SQLITE_OPEN_CREATE | lib.SQLITE_OPEN_NOMUTEX | lib.SQLITE_OPEN_EXRESCODE
	rc := lib.Xsqlite3_open_v2(c.tls, name, out, flags, driver)
	c.db = *at[uintptr](out)
	if rc != lib.SQLITE_OK {
		err := c.failure(rc)
		c.close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	conns.Lock()
	if conns.byID == nil {
		conns.byID = make(map[uintptr]*conn)
	}
	conns.next++
	c.id = conns.next
	conns.byID[c.id] = c
	conns.Unlock()

	c.setLockWait(busy)
	lib.Xsqlite3_progress_handler(c.tls, c.db, progressSteps, callback(onProgress), c.id)
	// What a database file says about itself (a trigger, a view) may call
	// nothing that reaches out of it, and nothing may break the file by SQL.
	for op, on := range map[int32]int32{
		lib.SQLITE_DBCONFIG_TRUSTED_SCHEMA: 0,
		lib.SQLITE_DBCONFIG_DEFENSIVE:      1,
	} {
		args := libc.NewVaList(on, uintptr(0))
		rc := lib.Xsqlite3_db_config(c.tls, c.db, op, args)
		libc.Xfree(c.tls, args)
		if rc != lib.SQLITE_OK {
			c.close()
			return nil, fmt.Errorf("open %s: configure: %w", path, c.failure(rc))
		}
	}
	return c, nil
}

// setLockWait says how long a statement waits for another's lock.
func (c *conn) setLockWait(d time.Duration) {
	lib.Xsqlite3_busy_timeout(c.tls, c.db, int32(d.Milliseconds()))
}

// close ends the connection with all its statements.
func (c *conn) close() error {
	for _, s := range c.stmts {
		s.finalize()
	}
	c.stmts = nil
	var err error
	if c.db != 0 {
		if rc := lib.Xsqlite3_close_v2(c.tls, c.db); rc != lib.SQLITE_OK {
			err = &sqlError{code: rc, message: "close"}
		}
		c.db = 0
	}
	conns.Lock()
	delete(conns.byID, c.id)
	conns.Unlock()
	c.arena.free(c.tls)
	c.tls.Close()
	return err
}

// prepare returns the statement of query, prepared once per connection and
// reset. It is the caller's until it is reset again.
func (c *conn) prepare(query string) (*stmt, error) {
	c.clock++
	if s := c.stmts[query]; s != nil {
		s.used = c.clock
		return s, nil
	}
	s, rest, err := c.compile(query, lib.SQLITE_PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	if s == nil || rest != "" {
		s.finalize()
		return nil, &sqlError{code: lib.SQLITE_ERROR, message: "not exactly one statement"}
	}
	for len(c.stmts) >= statementCacheSize || c.kept+len(query) > statementCacheText {
		if !c.dropOldest() {
			break
		}
	}
	s.used = c.clock
	c.stmts[query] = s
	c.kept += len(query)
	return s, nil
}

// dropOldest forgets the statement that was not used for longest; false if all
// are in use. It is called for statements that are new to the connection only,
// so a scan will do.
func (c *conn) dropOldest() bool {
	var oldest *stmt
	for _, s := range c.stmts {
		if !s.busy && (oldest == nil || s.used < oldest.used) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	delete(c.stmts, oldest.query)
	c.kept -= len(oldest.query)
	oldest.finalize()
	return true
}

// compile prepares the first statement of query and returns what stands behind
// it. The statement is nil if there is none (blanks, a comment).
func (c *conn) compile(query string, flags uint32) (*stmt, string, error) {
	text, err := libc.CString(query)
	if err != nil {
		return nil, "", err
	}
	defer libc.Xfree(c.tls, text)
	out := libc.Xmalloc(c.tls, 16)
	defer libc.Xfree(c.tls, out)
	rc := lib.Xsqlite3_prepare_v3(c.tls, c.db, text, int32(len(query)+1), flags, out, out+8)
	if rc != lib.SQLITE_OK {
		return nil, "", c.failure(rc)
	}
	handle := *at[uintptr](out)
	tail := *at[uintptr](out + 8)
	rest := query[min(int(tail-text), len(query)):]
	if handle == 0 {
		return nil, rest, nil
	}
	return &stmt{c: c, handle: handle, query: query}, trimSQL(rest), nil
}

// exec runs one statement that yields nothing of interest.
func (c *conn) exec(query string, args ...any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	return s.run(args...)
}

// execOnce runs one statement without keeping it prepared: schema changes,
// pragmas, and texts that came from a user.
func (c *conn) execOnce(query string) error {
	s, rest, err := c.compile(query, 0)
	if err != nil {
		return err
	}
	if s == nil || rest != "" {
		s.finalize()
		return &sqlError{code: lib.SQLITE_ERROR, message: "not exactly one statement"}
	}
	defer s.finalize()
	return s.run()
}

// pragmas sets how the connection works.
func (c *conn) pragmas(list ...string) error {
	for _, p := range list {
		if err := c.execOnce("PRAGMA " + p); err != nil {
			return fmt.Errorf("%s: %w", p, unavailable(err))
		}
	}
	return nil
}

// queryInt runs a statement that yields one integer. ok tells whether there was
// a row.
func (c *conn) queryInt(query string, args ...any) (n int64, ok bool, err error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, false, err
	}
	defer s.reset()
	s.bindAll(args)
	if ok, err = s.step(); ok {
		n = s.int(0)
	}
	return n, ok, err
}

// changed is how many rows the last statement inserted, updated or deleted.
func (c *conn) changed() int64 { return lib.Xsqlite3_changes64(c.tls, c.db) }

// inTransaction tells whether a transaction is open: some failures (a full
// disk) end it on their own.
func (c *conn) inTransaction() bool { return lib.Xsqlite3_get_autocommit(c.tls, c.db) == 0 }

// callback is a C function pointer to a function declaration (not a closure),
// in the form that the translated library calls.
func callback[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&struct{ f F }{f})) }

// queryLimits is how long a query of a reader may run: it is long after one
// time, and stopped after the other.
type queryLimits struct{ long, most time.Duration }

// within tells whether the query may go on.
func (l *queryLimits) within(c *conn) bool {
	took := time.Since(c.began)
	switch {
	case took < l.long || c.long && took < l.most:
		return true
	case took >= l.most:
		c.stop = tooLong("The query took more than " + l.most.String() + " and was stopped.")
	case c.pool.stepAside(c):
		return true
	default:
		c.stop = tooLong("The server is busy with other long queries. Please try again in a moment.")
	}
	return false
}

func tooLong(message string) error {
	return &pando.Error{Kind: pando.KindUnavailable, Message: message}
}

// onProgress stops a statement whose context is done, or whose time is up.
func onProgress(_ *libc.TLS, id uintptr) int32 {
	conns.RLock()
	c := conns.byID[id]
	conns.RUnlock()
	if c.ctx != nil && c.ctx.Err() != nil {
		return 1
	}
	if c.limits != nil && !c.began.IsZero() && !c.limits.within(c) {
		return 1
	}
	return 0
}
