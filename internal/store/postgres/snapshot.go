package postgres

import (
	"context"
	"errors"
	"strconv"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// errAgain is what a reader says when fn has to be run again, for a reason that
// is nobody's business: it must not get out of this package.
var errAgain = errors.New("postgres: the transaction is run again")

// readTries is how often fn is run before its failure is believed.
const readTries = 4

// Read runs fn on one consistent snapshot.
func (s *Store) Read(ctx context.Context, fn func(store.Reader) error) error {
	return s.read(ctx, false, fn)
}

// ReadOne runs fn, which asks its Reader one thing: in one statement where that
// is possible.
func (s *Store) ReadOne(ctx context.Context, fn func(store.Reader) error) error {
	return s.read(ctx, true, fn)
}

func (s *Store) read(ctx context.Context, one bool, fn func(store.Reader) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.running.Done()
	var primary bool // nothing else will do any more
	for try := 1; ; try++ {
		r := &snapshot{one: one, primary: primary || try == readTries-1, floor: s.index.Frontier()}
		r.reader = reader{asker: r, s: s, cat: s.Catalog()}
		if s.coming.Load() > 0 {
			r.one = false // the snapshot has to tell which catalog it shows
		}
		err := fn(r)
		r.end()
		if r.again == nil {
			return err
		}
		if try == readTries || ctx.Err() != nil {
			if cause := ctx.Err(); cause != nil {
				return cause
			}
			return unavailable(r.again)
		}
		one = one && r.one
		primary = r.primary
		if errors.Is(r.again, errMoved) {
			if err := s.refresh(ctx); err != nil {
				return err
			}
		}
	}
}

// errMoved says that the database has a catalog that we do not know.
var errMoved = errors.New("the collections were changed meanwhile")

// snapshot is a Reader. It chooses a node and opens a transaction there with the
// first question; if that is to be the only one, there is no transaction.
type snapshot struct {
	reader
	one     bool
	primary bool
	floor   position.N // the frontier before the snapshot was opened
	need    position.N

	node  *node
	c     *conn
	begun bool
	asked bool
	ended bool
	again error // why fn is to be run again
}

// Stamp is a position such that the snapshot holds every commit up to it.
func (r *snapshot) Stamp() position.N {
	r.need = max(r.need, r.floor) // so must the node that is chosen
	return r.floor
}

func (r *snapshot) found(...*pando.Record) {}

func (r *snapshot) ask(ctx context.Context, tags []position.Tag, batch ...*query) error {
	if err := r.use(ctx, tags); err != nil {
		return err
	}
	if r.one {
		return r.askOnce(ctx, batch)
	}
	return r.askWithin(ctx, batch)
}

// use makes sure that there is a connection.
func (r *snapshot) use(ctx context.Context, tags []position.Tag) error {
	switch {
	case r.ended:
		return errors.New("postgres: the snapshot was used after its end")
	case r.again != nil:
		return errAgain
	case ctx.Err() != nil:
		return ctx.Err()
	case r.one && r.asked:
		// It was to be the only question. There is no snapshot for another.
		r.one, r.again = false, errors.New("postgres: more than one question")
		return errAgain
	case r.c != nil:
		return nil
	}
	need, pending := r.s.index.Need(append(tags, catalogTag))
	var err error
	r.node, r.c, err = r.s.nodes.reader(ctx, max(need, r.need), pending || r.primary)
	if err != nil {
		r.node, r.c = nil, nil
		return err
	}
	if r.c.catalog != r.cat.Version {
		r.c.forget()
		r.c.catalog = r.cat.Version
	}
	r.s.stats.reads.Add(1)
	return nil
}

// askOnce asks without a transaction if one statement says everything.
func (r *snapshot) askOnce(ctx context.Context, batch []*query) error {
	r.asked = true
	if len(batch) > 1 || r.c.unnamed {
		all := make([]*query, 0, len(batch)+3)
		all = append(all, readBegin)
		if r.c.unnamed {
			all = append(all, r.s.localTimeout())
		}
		all = append(append(all, batch...), commitQuery())
		batch = all
	}
	err := r.run(ctx, batch...)
	if err == nil && (r.s.coming.Load() > 0 || r.s.Catalog() != r.cat) {
		// The statement may have seen what belongs to another catalog.
		r.one, r.again = false, errors.New("postgres: the catalog changed meanwhile")
		return errAgain
	}
	return err
}

// askWithin asks within a transaction, which begins with the first question.
func (r *snapshot) askWithin(ctx context.Context, batch []*query) error {
	if r.begun {
		return r.run(ctx, batch...)
	}
	var version uint64
	all := make([]*query, 0, len(batch)+3)
	all = append(all, &query{sql: readBegin.sql})
	if r.c.unnamed {
		all = append(all, r.s.localTimeout())
	}
	all = append(all, &query{sql: "SELECT catalog FROM _pando_meta", row: func(_ *query, v [][]byte) error {
		version = uint64(int64Of(v[0]))
		return nil
	}})
	r.begun = true
	err := r.run(ctx, append(all, batch...)...)
	if all[len(all)-1].ran && version != r.cat.Version {
		if cat := r.s.catalogs.get(version); cat != nil && version > r.cat.Version {
			r.s.publish(cat) // it is committed: nobody may be given an older one after this
			r.again = errors.New("postgres: the catalog changed meanwhile")
		} else {
			r.again = errMoved
		}
		return errAgain
	}
	return err
}

var readBegin = &query{sql: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}

func commitQuery() *query { return &query{sql: "COMMIT"} }

// localTimeout bounds the statements of a transaction where a pooler stands
// between, and a session is not ours.
func (s *Store) localTimeout() *query {
	return &query{sql: "SET LOCAL statement_timeout = " + strconv.FormatInt(s.opts.QueryTimeout.Milliseconds(), 10)}
}

// run sends statements, and says whether a failure is one that another node, or
// another try, may not have.
func (r *snapshot) run(ctx context.Context, batch ...*query) error {
	err := r.c.run(ctx, batch...)
	if err == nil || ctx.Err() != nil {
		return err
	}
	switch {
	case isStaleStatement(err):
		r.c.forget()
	case isLost(err):
		r.node.failed(err)
	case conflictsWithRecovery(err), codeOf(err) == codeSerialization:
		r.primary = true
	case isSchemaError(err) && r.s.Catalog() != r.cat:
	default:
		return err
	}
	r.again = err
	return errAgain
}

// script runs fn in the snapshot's own transaction, which cannot write.
func (r *snapshot) script(ctx context.Context, fn func(c *conn) error) error {
	if r.one {
		r.one = false
	}
	r.primary = true // which has every collection
	if err := r.use(ctx, []position.Tag{position.AllTag}); err != nil {
		return err
	}
	if !r.begun {
		if err := r.askWithin(ctx, nil); err != nil {
			return err
		}
	}
	return savepoint(ctx, r.c, false, fn)
}

// savepoint runs fn and undoes it. Unless the transaction cannot write anyway, it
// cannot within the savepoint.
func savepoint(ctx context.Context, c *conn, writes bool, fn func(c *conn) error) error {
	begin := []string{"SAVEPOINT script"}
	if writes {
		begin = append(begin, "SET LOCAL transaction_read_only = on")
	}
	if err := c.exec(ctx, begin...); err != nil {
		return unavailable(err)
	}
	err := fn(c)
	if c.broken() {
		return err
	}
	if undo := c.exec(context.WithoutCancel(ctx), "ROLLBACK TO script", "RELEASE script"); undo != nil {
		c.cut()
		return unavailable(undo)
	}
	return err
}

// end gives the connection back.
func (r *snapshot) end() {
	r.ended = true
	if r.c == nil {
		return
	}
	if r.begun && !r.c.broken() && r.c.pg.TxStatus() != 'I' {
		if err := r.c.run(context.Background(), commitQuery()); err != nil && !isLost(err) {
			r.s.log.Error("close snapshot", "err", err)
		}
	}
	r.node.release(r.c)
	r.c = nil
}
