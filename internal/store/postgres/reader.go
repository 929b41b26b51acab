package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/mutant"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlgen"
)

// asker sends statements on behalf of a reader: in a snapshot (snapshot.go) or
// in a transaction that writes (tx.go).
type asker interface {
	// ask sends statements about the things that tags name. known is true for
	// statements of the store's own making.
	ask(ctx context.Context, tags []position.Tag, batch ...*query) error
	// found is told of the records that were read.
	found(recs ...*pando.Record)
	// script runs fn on the connection itself, in a transaction that cannot
	// write, and undoes it.
	script(ctx context.Context, fn func(c *conn) error) error
	// harmless refuses a query of a user's that may do more than read records.
	harmless(ctx context.Context, query string) error
}

// reader makes statements of questions, and records of the answers.
type reader struct {
	asker
	s   *Store
	cat *store.Catalog
}

// Catalog is the catalog as of the snapshot.
func (r *reader) Catalog() *store.Catalog { return r.cat }

// Record finds one record by id.
func (r *reader) Record(ctx context.Context, c *pando.Collection, id string) (*pando.Record, error) {
	rec, err := r.record(ctx, r.s.plans.Of(c), id)
	if err != nil {
		return nil, r.failed(c, err)
	}
	if rec == nil {
		return nil, pando.NotFound()
	}
	r.found(rec)
	return rec, nil
}

// record is nil if there is none.
func (r *reader) record(ctx context.Context, p *plan, id string) (rec *pando.Record, err error) {
	arg, err := argument(id)
	if err != nil {
		return nil, err
	}
	tags := r.recordTags(p.c, []string{id})
	q := p.rows(p.byID, [][]byte{arg}, func(found *pando.Record) { rec = found })
	q.single = !p.c.IsView()
	return rec, r.ask(ctx, tags, q)
}

// rows is a query whose rows are the plan's columns.
func (p *plan) rows(sql string, args [][]byte, f func(*pando.Record)) *query {
	q := &query{sql: sql, args: args}
	if p.c.IsView() {
		q.text = true
		q.row = func(q *query, row [][]byte) error { f(p.decodeText(row, q.fields)); return nil }
		return q
	}
	q.row = func(q *query, row [][]byte) error { f(p.decode(q.c, row)); return nil }
	return q
}

// Records finds many by id, in the order of ids.
func (r *reader) Records(ctx context.Context, c *pando.Collection, ids []string) ([]*pando.Record, error) {
	if len(ids) == 0 {
		return []*pando.Record{}, ctx.Err()
	}
	p := r.s.plans.Of(c)
	found := make(map[string]*pando.Record, len(ids))
	tags := r.recordTags(c, ids)
	err := r.ask(ctx, tags, p.rows(p.byIDs, [][]byte{arrayText(ids)}, func(rec *pando.Record) {
		if id := rec.ID(); found[id] == nil { // a view can have several
			found[id] = rec
		}
	}))
	if err != nil {
		return nil, r.failed(c, err)
	}
	recs := make([]*pando.Record, 0, len(ids))
	for _, id := range ids {
		if rec := found[id]; rec != nil {
			recs = append(recs, rec)
		}
	}
	r.found(recs...)
	return recs, nil
}

// manyTags is from how many records on the table's tag stands for them.
const manyTags = 64

// recordTags are what tells of changes of records: one by one, and of more at once than
// a stream names one by one.
func (r *reader) recordTags(c *pando.Collection, ids []string) []position.Tag {
	switch {
	case c.IsView():
		return []position.Tag{position.AllTag}
	case len(ids) > manyTags:
		return []position.Tag{position.TableTag(c.ID)}
	}
	tags := make([]position.Tag, 0, len(ids)+1)
	for _, id := range ids {
		tags = append(tags, position.RecordTag(c.ID, id))
	}
	if mutant.BulkUnasked {
		return tags
	}
	return append(tags, position.BulkTag(c.ID))
}

// Find answers a query: the page and the total in one round trip.
func (r *reader) Find(ctx context.Context, q store.Query) (store.Page, error) {
	none := store.Page{Total: -1}
	now := time.Now()
	st, err := sqlgen.Select(sqlgen.Postgres, q, now)
	if err != nil {
		return none, r.failed(q.Collection, err)
	}
	page := store.Page{Records: []*pando.Record{}, Total: -1}
	var batch []*query
	if !st.Never {
		find, err := r.find(q, st, &page)
		if err != nil {
			return none, r.failed(q.Collection, err)
		}
		batch = append(batch, find)
	}
	if q.Total {
		page.Total = 0
		if st, err = sqlgen.Count(sqlgen.Postgres, q, now); err != nil {
			return none, r.failed(q.Collection, err)
		}
		if !st.Never {
			args, err := arguments(st.Args)
			if err != nil {
				return none, r.failed(q.Collection, err)
			}
			batch = append(batch, &query{sql: st.SQL, args: args, row: func(_ *query, row [][]byte) error {
				page.Total = int(int64Of(row[0]))
				return nil
			}})
		}
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if len(batch) > 0 {
		err = r.ask(ctx, r.queryTags(q), batch...)
	}
	if err != nil {
		return none, r.failed(q.Collection, err)
	}
	if q.Virtual == nil && !q.IDsOnly {
		r.found(page.Records...)
	}
	return page, nil
}

// find is the statement for a page.
func (r *reader) find(q store.Query, st sqlgen.Statement, page *store.Page) (*query, error) {
	args, err := arguments(st.Args)
	if err != nil {
		return nil, err
	}
	page.Records = make([]*pando.Record, 0, min(max(q.Limit, 0), 500))
	add := func(rec *pando.Record) { page.Records = append(page.Records, rec) }
	p := r.s.plans.Of(q.Collection)
	switch {
	case q.IDsOnly:
		return &query{sql: st.SQL, args: args, text: true, row: func(_ *query, row [][]byte) error {
			add(p.decodeID(row))
			return nil
		}}, nil
	case q.Virtual != nil: // its columns are what they are given as
		return &query{sql: st.SQL, args: args, text: true, row: func(q *query, row [][]byte) error {
			add(p.decodeText(row, q.fields))
			return nil
		}}, nil
	}
	return p.rows(st.SQL, args, add), nil
}

// Param reads a value that is no record.
func (r *reader) Param(ctx context.Context, key string) (value []byte, err error) {
	tags := []position.Tag{paramTag(key)}
	err = r.ask(ctx, tags, &query{
		sql: "SELECT value FROM _pando_params WHERE key = $1", args: textArgs([]string{key}),
		row: func(_ *query, row [][]byte) error {
			value = append([]byte{}, row[0]...)
			return nil
		},
	})
	return value, unavailable(err)
}

// failed says which collection a failure belongs to. A collection that is not
// the one of this snapshot has been changed since the caller looked it up: the
// caller is told to try again rather than that the server is broken.
func (r *reader) failed(c *pando.Collection, err error) error {
	if err == nil || errors.Is(err, errAgain) {
		return err
	}
	if r.cat.Collection(c.ID) != c && isSchemaError(err) {
		return &pando.Error{
			Kind: pando.KindUnavailable, Message: "The collection " + c.Name + " has just been changed. Try again.", Err: err,
		}
	}
	return fmt.Errorf("%s: %w", c.Name, unavailable(err))
}

// queryTags are what a query reads.
func (r *reader) queryTags(q store.Query) []position.Tag {
	if q.Collection.IsView() {
		return []position.Tag{position.AllTag}
	}
	tags := []position.Tag{position.TableTag(q.Collection.ID)}
	views := false
	add := func(list []*pando.Collection) {
		for _, c := range list {
			views = views || c.IsView()
			tags = append(tags, position.TableTag(c.ID))
		}
	}
	for _, w := range q.Where {
		add(w.Rule.Reads())
	}
	for _, k := range q.Sort {
		add(k.Reads())
	}
	if views { // they change with whatever tables their queries read
		return []position.Tag{position.AllTag}
	}
	return tags
}

// paramTag changes with a value that is no record.
func paramTag(key string) position.Tag { return position.RecordTag(reserved, key) }

// catalogTag changes with the collections and the settings.
var catalogTag = position.CatalogTag
