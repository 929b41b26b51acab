package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/rule"
	"github.com/pandobase/pando/internal/store"
)

// reader is one open snapshot on one connection; within a transaction, it sees
// that transaction's own writes.
type reader struct {
	s     *Store
	c     *conn
	meta  meta
	floor uint64         // the frontier before the snapshot was opened
	cat   *store.Catalog // nil until asked for
	inTx  bool           // a transaction's own view, not a snapshot of what is committed
	ended bool
}

var _ store.Reader = (*reader)(nil)

// begin opens the snapshot: a deferred transaction gets it with its first query.
func (r *reader) begin() error {
	err := r.c.exec("BEGIN")
	if err != nil {
		return unavailable(fmt.Errorf("open snapshot: %w", err))
	}
	if r.meta, err = readMeta(r.c); err != nil {
		r.end()
		return unavailable(fmt.Errorf("open snapshot: %w", err))
	}
	// A catalog that this snapshot shows is committed, although the writer may
	// not have come to publish it. Nobody who asks after our answer may be given
	// an older one, so we do it.
	if cat := r.s.coming.Load(); cat != nil && cat.Version == r.meta.catalog && !mutant.CatalogLate {
		r.s.publish(cat)
	}
	return nil
}

func (r *reader) end() {
	r.ended = true
	r.c.ctx, r.c.began, r.c.stop = nil, time.Time{}, nil
	if err := r.c.exec("COMMIT"); err != nil {
		r.s.log.Error("close snapshot", "err", err)
	}
}

// use readies the connection for a query that ctx can stop.
func (r *reader) use(ctx context.Context) error {
	if r.ended {
		return fmt.Errorf("sqlite: the snapshot was used after its end")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.inTx && !r.c.inTransaction() {
		// A full disk has ended the transaction: what came now would be
		// committed on its own.
		return errEnded
	}
	r.c.ctx = ctx
	if r.c.limits != nil {
		r.c.began, r.c.stop = time.Now(), nil
	}
	return nil
}

var errEnded = errors.New("sqlite: the transaction was ended by an earlier failure")

// Stamp is the position of the last commit in the snapshot. The frontier can be
// ahead of it: when another program wrote, positions move on in memory only.
func (r *reader) Stamp() position.N { return position.N(max(r.meta.csn, r.floor)) }

// Epoch is the zero value: positions are compared by this process alone.
func (r *reader) Epoch() position.Epoch { return position.Epoch{} }

// Catalog is the catalog as of the snapshot. If it cannot be read, it is the
// newest published one: whoever asks gets errors from the tables soon enough.
func (r *reader) Catalog() *store.Catalog {
	if r.cat == nil {
		r.cat = r.s.catalogs.Get(r.meta.catalog)
	}
	if r.cat == nil {
		cat, err := loadCatalog(r.c, r.meta.catalog)
		if err != nil {
			r.s.log.Error("load catalog of a snapshot", "err", err)
			return r.s.Catalog()
		}
		r.s.catalogs.Add(cat)
		r.cat = cat
	}
	return r.cat
}

// Record finds one record by id.
func (r *reader) Record(ctx context.Context, c *pando.Collection, id string) (*pando.Record, error) {
	if err := r.use(ctx); err != nil {
		return nil, err
	}
	rec, err := r.record(r.s.plans.Of(c), id)
	if err != nil {
		return nil, r.failed(c, err)
	}
	if rec == nil {
		return nil, pando.NotFound()
	}
	return rec, nil
}

// record is nil if there is none.
func (r *reader) record(p *plan, id string) (*pando.Record, error) {
	q, err := r.c.prepare(p.byID)
	if err != nil {
		return nil, err
	}
	defer q.reset()
	q.bindText(0, id)
	row, err := q.step()
	if err != nil || !row {
		return nil, err
	}
	return p.decode(q), nil
}

// Records finds many by id.
func (r *reader) Records(ctx context.Context, c *pando.Collection, ids []string) ([]*pando.Record, error) {
	if err := r.use(ctx); err != nil {
		return nil, err
	}
	p := r.s.plans.Of(c)
	if c.IsView() {
		recs, err := r.viewRecords(p, ids)
		return recs, r.failed(c, err)
	}
	recs := make([]*pando.Record, 0, len(ids))
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rec, err := r.record(p, id)
		if err != nil {
			return nil, r.failed(c, err)
		}
		if rec != nil {
			recs = append(recs, rec)
		}
	}
	return recs, nil
}

// viewRecords finds records of a view in one go: a view has no index, so each
// question costs the whole view.
func (r *reader) viewRecords(p *plan, ids []string) ([]*pando.Record, error) {
	found := make(map[string]*pando.Record, len(ids))
	err := r.c.each(p.byIDs, func(q *stmt) error {
		rec := p.decode(q)
		if id := rec.ID(); found[id] == nil {
			found[id] = rec
		}
		return nil
	}, rule.ListText(ids))
	if err != nil {
		return nil, err
	}
	recs := make([]*pando.Record, 0, len(ids))
	for _, id := range ids {
		if rec := found[id]; rec != nil {
			recs = append(recs, rec)
		}
	}
	return recs, nil
}

// Param reads a value that is no record.
func (r *reader) Param(ctx context.Context, key string) ([]byte, error) {
	if err := r.use(ctx); err != nil {
		return nil, err
	}
	var value []byte
	err := r.c.each("SELECT value FROM _pando_params WHERE key = ?", func(q *stmt) error {
		value = q.blob(0)
		return nil
	}, key)
	return value, unavailable(err)
}

// failed says which collection a failure belongs to. A collection that is not
// the one of this snapshot has been changed since the caller looked it up: the
// caller is told to try again rather than that the server is broken.
func (r *reader) failed(c *pando.Collection, err error) error {
	if err == nil {
		return nil
	}
	if r.stale(c) && isSchemaError(err) {
		return &pando.Error{
			Kind: pando.KindUnavailable, Message: "The collection " + c.Name + " has just been changed. Try again.", Err: err,
		}
	}
	return fmt.Errorf("%s: %w", c.Name, unavailable(err))
}

func (r *reader) stale(c *pando.Collection) bool { return r.Catalog().Collection(c.ID) != c }
