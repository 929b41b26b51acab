package cached

import (
	"context"
	"errors"
	"slices"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// maxTags is how many records a fact may depend on one by one; beyond that it
// depends on their tables.
const maxTags = 32

// recorder is a store.Reader that notes what is read through it. What it cannot
// name exactly it names too coarsely, never too finely.
type recorder struct {
	r       store.Reader
	tables  map[string]bool            // by collection id
	views   []*pando.Collection        // where a stream tells of commits: what they are made from is found out behind the read
	records map[string]map[string]bool // by collection id, then record id
	count   int                        // of records
	all     bool
	moving  bool // a view changes by itself: the value must not be kept

	begun  bool                     // something has been read
	search string                   // id of the collection that was read by the first read alone, a search; else ""
	same   func(q store.Query) bool // whether q, a first search, finds what the fact of before was made from; may be nil
	still  bool                     // it does, and the fill was told to stop
}

func newRecorder(r store.Reader) *recorder {
	return &recorder{r: r, tables: map[string]bool{}, records: map[string]map[string]bool{}}
}

// errStill stops a fill that would make what is there already.
var errStill = errors.New("cached: the value still holds")

// searched is the tag of the table that was read by one search alone.
func (d *recorder) searched() position.Tag {
	if d.search == "" || d.all {
		return 0
	}
	return position.TableTag(d.search)
}

// tags is what a fact made from these reads depends on.
func (d *recorder) tags() []position.Tag {
	if d.all {
		return []position.Tag{position.AllTag}
	}
	tags := make([]position.Tag, 0, len(d.tables)+len(d.records)+d.count+1)
	if d.r.Epoch().Timeline != 0 {
		// The catalog's version is part of every key, but a request can have begun with
		// a catalog of before, while this server had no lease.
		tags = append(tags, position.CatalogTag)
	}
	for id := range d.tables {
		tags = append(tags, position.TableTag(id))
	}
	for c, ids := range d.records {
		if d.tables[c] {
			continue // the table's tag changes whenever a record's does
		}
		tags = append(tags, position.BulkTag(c))
		for id := range ids {
			tags = append(tags, position.RecordTag(c, id))
		}
	}
	return tags
}

func (d *recorder) table(c *pando.Collection) {
	d.reads(c)
	if c.IsView() {
		d.moving = d.moving || d.r.Catalog().VolatileView(c)
		if d.r.Epoch().Timeline == 0 {
			d.all = true // a view changes with whatever tables its query reads
		} else if !slices.Contains(d.views, c) {
			d.views = append(d.views, c)
		}
		return
	}
	d.tables[c.ID] = true
}

// reads notes that c is read, in whatever way.
func (d *recorder) reads(c *pando.Collection) {
	d.begun = true
	if d.search == c.ID {
		d.search = ""
	}
}

func (d *recorder) record(c *pando.Collection, id string) {
	d.reads(c)
	if c.IsView() || d.count >= maxTags {
		d.table(c)
		return
	}
	ids := d.records[c.ID]
	if ids == nil {
		ids = map[string]bool{}
		d.records[c.ID] = ids
	}
	if !ids[id] {
		ids[id] = true
		d.count++
	}
}

func (d *recorder) Stamp() position.N { return d.r.Stamp() }

func (d *recorder) Epoch() position.Epoch { return d.r.Epoch() }

// Catalog is not noted: its version is part of every key. See tags, too.
func (d *recorder) Catalog() *store.Catalog { return d.r.Catalog() }

func (d *recorder) Record(ctx context.Context, c *pando.Collection, id string) (*pando.Record, error) {
	d.record(c, id)
	return d.r.Record(ctx, c, id)
}

func (d *recorder) Records(ctx context.Context, c *pando.Collection, ids []string) ([]*pando.Record, error) {
	for _, id := range ids {
		d.record(c, id)
	}
	return d.r.Records(ctx, c, ids)
}

func (d *recorder) Find(ctx context.Context, q store.Query) (store.Page, error) {
	alone := !d.begun && q.OwnOnly()
	if alone && d.same != nil && d.same(q) {
		d.still = true
		return store.Page{Total: -1}, errStill
	}
	d.table(q.Collection)
	for _, w := range q.Where {
		for _, c := range w.Rule.Reads() {
			d.table(c)
		}
	}
	for _, k := range q.Sort {
		for _, c := range k.Reads() {
			d.table(c)
		}
	}
	if alone && !q.Collection.IsView() {
		d.search = q.Collection.ID
	}
	return d.r.Find(ctx, q)
}

func (d *recorder) DescribeView(ctx context.Context, query string) ([]store.ViewColumn, error) {
	d.all, d.begun = true, true
	return d.r.DescribeView(ctx, query)
}

func (d *recorder) SampleView(ctx context.Context, c *pando.Collection, query string, limit int) ([]*pando.Record, error) {
	d.all, d.moving, d.begun = true, true, true // queries that are being tried out: nobody knows what is in them
	return d.r.SampleView(ctx, c, query, limit)
}

func (d *recorder) Param(ctx context.Context, key string) ([]byte, error) {
	d.all, d.begun = true, true
	return d.r.Param(ctx, key)
}
