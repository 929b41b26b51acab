package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// query is one statement with its values.
type query struct {
	sql     string
	args    [][]byte
	formats []int16 // of args; nil: all are text
	text    bool    // the result is wanted as text, whatever its types
	once    bool    // do not keep it prepared
	commits bool    // ends the implicit transaction of all before it
	gated   string  // an insert that checks the gate itself, with one more value
	suppose *supposition
	single  bool // about one record
	sure    bool // a COMMIT that must not be answered before a standby has it

	row func(q *query, values [][]byte) error // called for each row, whose values it must not keep

	// Set by run.
	c      *conn
	fields []pgconn.FieldDescription
	tag    pgconn.CommandTag
	ran    bool
}

// rows is how many were returned or affected.
func (q *query) rows() int64 { return q.tag.RowsAffected() }

var (
	textResult   = []int16{0}
	binaryResult = []int16{1}
)

func (q *query) resultFormats() []int16 {
	if q.text {
		return textResult
	}
	return binaryResult
}

// run sends statements together and waits for their answers: one round trip.
// Statements behind one that fails are not run; q.ran tells which were.
func (c *conn) run(ctx context.Context, batch ...*query) error {
	if len(batch) == 0 {
		return nil
	}
	p := c.pg.StartPipeline(ctx)
	dropped := c.sendDropped(p)
	for i, q := range batch {
		c.send(p, q)
		if q.commits && i < len(batch)-1 {
			p.SendPipelineSync()
		}
	}
	c.trips++
	err := p.Sync()
	for i := 0; i < dropped && err == nil; i++ {
		_, err = p.GetResults()
	}
	for _, q := range batch {
		if err != nil {
			break
		}
		err = c.receive(p, q)
	}
	closed := p.Close()
	c.unprepared()
	if err == nil {
		err = closed
	}
	return c.told(ctx, err)
}

// prepare has PostgreSQL read a statement, which is not kept.
func (c *conn) prepare(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	d, err := c.pg.Prepare(ctx, "", sql, nil)
	return d, c.told(ctx, err)
}

// told gives a failure that pgconn tells of its kind: what PostgreSQL said, the end
// of ctx, or a connection that is lost.
func (c *conn) told(ctx context.Context, err error) error {
	switch {
	case err == nil || isPgError(err):
		return err
	case ctx.Err() != nil:
		return ctx.Err() // pgconn has closed the connection, and stops the query
	case c.broken():
		return &lostError{err}
	}
	return err
}

// lostError is a connection that failed.
type lostError struct{ err error }

func (e *lostError) Error() string {
	return "the connection to the database was lost: " + e.err.Error()
}
func (e *lostError) Unwrap() error { return e.err }

func isPgError(err error) bool {
	_, ok := errors.AsType[*pgconn.PgError](err)
	return ok
}

// send queues one statement, prepared once per connection where that is possible.
func (c *conn) send(p *pgconn.Pipeline, q *query) {
	q.c, q.ran, q.fields, q.tag = c, false, nil, pgconn.CommandTag{}
	if q.once || c.unnamed {
		p.SendQueryParams(q.sql, q.args, nil, q.formats, q.resultFormats())
		return
	}
	c.clock++
	s := c.stmts[q.sql]
	switch {
	case s == nil:
		c.names++
		s = &prepared{name: "p" + strconv.FormatUint(c.names, 10), sql: q.sql}
		c.keep(s)
		p.SendPrepare(s.name, q.sql, nil)
		s.preparing = q
		fallthrough
	case s.desc == nil:
		p.SendQueryPrepared(s.name, q.args, q.formats, q.resultFormats())
	default:
		p.SendQueryStatement(s.desc, q.args, q.formats, q.resultFormats())
	}
	s.used = c.clock
}

// receive reads the answer to one statement.
func (c *conn) receive(p *pgconn.Pipeline, q *query) error {
	if s := c.stmts[q.sql]; s != nil && s.preparing == q {
		got, err := p.GetResults()
		if err != nil {
			return err
		}
		desc, ok := got.(*pgconn.StatementDescription)
		if !ok {
			return fmt.Errorf("postgres: no description of a statement but %T", got)
		}
		desc.Name = s.name
		s.desc, s.preparing = desc, nil
	}
	got, err := p.GetResults()
	if err != nil {
		return err
	}
	r, ok := got.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("postgres: no result of a statement but %T", got)
	}
	q.fields = r.FieldDescriptions()
	var failed error
	for r.NextRow() {
		if q.row != nil && failed == nil {
			failed = q.row(q, r.Values())
		}
	}
	q.tag, err = r.Close()
	if err == nil && q.commits {
		_, err = p.GetResults() // the commit can be refused too
	}
	if err != nil {
		return err
	}
	q.ran = true
	if q.sure && c.waited && failed == nil {
		return errUnconfirmed
	}
	return failed
}

// unprepared forgets statements whose preparation was not reached.
func (c *conn) unprepared() {
	for _, s := range c.fresh {
		if s.desc == nil && c.stmts[s.sql] == s {
			delete(c.stmts, s.sql)
			c.kept -= len(s.sql)
		}
		s.preparing = nil
	}
	c.fresh = c.fresh[:0]
}

// prepared is a statement that the server keeps for a connection.
type prepared struct {
	name, sql string
	desc      *pgconn.StatementDescription // nil until the server has said
	preparing *query                       // the one that it is sent with
	used      uint64
}

// What prepared statements a connection keeps. An application has some dozens of
// rules and sorts; filters that clients make up push each other out.
const (
	statementCacheSize = 256
	statementCacheText = 256 << 10 // bytes of all texts
)

func (c *conn) keep(s *prepared) {
	for len(c.stmts) >= statementCacheSize || c.kept+len(s.sql) > statementCacheText {
		if !c.dropOldest() {
			break
		}
	}
	c.stmts[s.sql] = s
	c.kept += len(s.sql)
	c.fresh = append(c.fresh, s)
}

// dropOldest forgets the statement that was not used for longest, among those
// that are not about to be used.
func (c *conn) dropOldest() bool {
	var oldest *prepared
	for _, s := range c.stmts {
		if s.desc != nil && s.used+uint64(batchMost) < c.clock && (oldest == nil || s.used < oldest.used) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	c.drop(oldest)
	return true
}

func (c *conn) drop(s *prepared) {
	delete(c.stmts, s.sql)
	c.kept -= len(s.sql)
	c.gone = append(c.gone, s.name)
}

// forget drops all statements: the tables that they name have changed.
func (c *conn) forget() {
	for _, s := range c.stmts {
		c.drop(s)
	}
}

// sendDropped tells the server of dropped statements, and how many there were.
func (c *conn) sendDropped(p *pgconn.Pipeline) int {
	n := len(c.gone)
	for _, name := range c.gone {
		p.SendDeallocate(name)
	}
	c.gone = c.gone[:0]
	return n
}
