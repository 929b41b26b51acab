// Package storetest is the executable form of the contract of internal/store:
// every sentence there that promises something has a test here. Each adapter
// runs it against itself; what it needs to know of one is in [Backend].
package storetest

import (
	"context"
	"sync"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Backend makes the stores that the suite runs on.
type Backend struct {
	// Open opens a new, empty store that tells index and sink of its commits.
	// It is closed when the test ends.
	Open func(t *testing.T, index *position.Index, sink changes.Sink) store.Store
	// Reopen closes a store and opens what it has stored.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Restore opens what Backup wrote as a store of its own.
	Restore func(t *testing.T, backup []byte) store.Store
	// SQL says some of the suite's queries in the words of the database, where
	// they are not those of SQLite.
	SQL map[string]string
}

func (b Backend) sql(query string) string {
	if own, ok := b.SQL[query]; ok {
		return own
	}
	return query
}

// Run holds the stores of a backend to the contract.
func Run(t *testing.T, b Backend) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Write", writeTests}, {"Suppose", supposeTests}, {"InsertAll", bulkTests}, {"Read", readTests}, {"Records", recordTests}, {"Find", findTests},
		{"Catalog", catalogTests}, {"Schema", append(schemaTests, evolveTest)}, {"Views", viewTests},
		{"Changes", changeTests}, {"Facts", factTests}, {"Sessions", sessionTests}, {"Backup", backupTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, tt := range group.tests {
				t.Run(tt.name, func(t *testing.T) { tt.run(newFixture(t, b)) })
			}
		})
	}
	t.Run("Rules", func(t *testing.T) { runRules(t, b) })
}

type test struct {
	name string
	run  func(f *fixture)
}

// fixture is a store under test, with everything it publishes.
type fixture struct {
	*testing.T
	ctx     context.Context
	backend Backend
	store   store.Store
	index   *position.Index
	batches *batches
}

func newFixture(t *testing.T, b Backend) *fixture {
	f := &fixture{T: t, ctx: t.Context(), backend: b, index: position.NewIndex(0), batches: new(batches)}
	f.store = b.Open(t, f.index, f.batches)
	return f
}

// batches is a sink that keeps what it is given.
type batches struct {
	mu   sync.Mutex
	list []changes.Batch
}

func (b *batches) Publish(batch changes.Batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, batch)
}

// take is what was published since the last call.
func (b *batches) take() []changes.Batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// write runs fn in a transaction that must succeed.
func (f *fixture) write(fn func(tx store.Tx) error) position.N {
	f.Helper()
	n, err := f.store.Write(f.ctx, fn)
	if err != nil {
		f.Fatalf("Write: %v", err)
	}
	return n
}

// read runs fn on a snapshot that must succeed.
func (f *fixture) read(fn func(r store.Reader) error) {
	f.Helper()
	if err := f.store.Read(f.ctx, fn); err != nil {
		f.Fatalf("Read: %v", err)
	}
}

// save creates collections, and returns the last one as the catalog has it.
func (f *fixture) save(cols ...*pando.Collection) *pando.Collection {
	f.Helper()
	f.write(func(tx store.Tx) error {
		for _, c := range cols {
			if err := tx.SaveCollection(f.ctx, nil, c); err != nil {
				return err
			}
		}
		return nil
	})
	return f.collection(cols[len(cols)-1].Name)
}

// change saves a collection as edit makes it.
func (f *fixture) change(c *pando.Collection, edit func(c *pando.Collection)) (*pando.Collection, error) {
	f.Helper()
	next := c.Clone()
	edit(next)
	_, err := f.store.Write(f.ctx, func(tx store.Tx) error {
		return tx.SaveCollection(f.ctx, tx.Catalog().Collection(c.ID), next)
	})
	return f.store.Catalog().Collection(c.ID), err
}

// mustChange is change that must succeed.
func (f *fixture) mustChange(c *pando.Collection, edit func(c *pando.Collection)) *pando.Collection {
	f.Helper()
	c, err := f.change(c, edit)
	if err != nil {
		f.Fatalf("SaveCollection: %v", err)
	}
	return c
}

func (f *fixture) collection(ref string) *pando.Collection {
	f.Helper()
	c := f.store.Catalog().Collection(ref)
	if c == nil {
		f.Fatalf("no collection %s in the catalog", ref)
	}
	return c
}

// insert adds records of c with the given titles as ids.
func (f *fixture) insert(recs ...*pando.Record) position.N {
	f.Helper()
	return f.write(func(tx store.Tx) error {
		for _, r := range recs {
			if err := tx.Insert(f.ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// get reads one record; nil if there is none.
func (f *fixture) get(c *pando.Collection, id string) (rec *pando.Record) {
	f.Helper()
	f.read(func(r store.Reader) (err error) {
		rec, err = r.Record(f.ctx, c, id)
		if pando.KindOf(err) == pando.KindNotFound {
			rec, err = nil, nil
		}
		return err
	})
	return rec
}

// find lists the ids that a query finds.
func (f *fixture) find(q store.Query) []string {
	f.Helper()
	return ids(f.page(q).Records)
}

func (f *fixture) page(q store.Query) (page store.Page) {
	f.Helper()
	f.read(func(r store.Reader) (err error) {
		page, err = r.Find(f.ctx, q)
		return err
	})
	return page
}

func ids(recs []*pando.Record) []string {
	list := make([]string, len(recs))
	for i, r := range recs {
		list[i] = r.ID()
	}
	return list
}
