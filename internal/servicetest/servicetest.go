// Package servicetest gives the tests of services what lies below them, for
// real: a SQLite store with its index and its stream of changes, facts with a
// cache, and files on disk.
package servicetest

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/cache/memory"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/changes/local"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/cached"
	"github.com/pandobase/pando/internal/store/sqlite"
	"github.com/pandobase/pando/internal/wire"
)

// Env is the ground that a service stands on.
type Env struct {
	Dir    string
	Store  *sqlite.Store
	Index  *position.Index
	Facts  *cached.Facts
	Stream *local.Stream
	Blobs  *disk.Store
}

// New opens an empty environment with the system collections and users.
func New(t testing.TB) *Env {
	t.Helper()
	e := &Env{Dir: t.TempDir()}
	index := position.NewIndex(0)
	e.Index = index
	e.Stream = local.New(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { e.Stream.Close() })
	var err error
	e.Store, err = sqlite.Open(sqlite.Options{
		Dir: e.Dir, Index: index, Sinks: []changes.Sink{e.Stream}, Logger: slog.New(slog.DiscardHandler),
		RememberFrom: 1, // tables are small here, and it is not to go untested
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Store.Close() })
	c, err := memory.New(16 << 20)
	if err != nil {
		t.Fatal(err)
	}
	e.Facts = cached.New(e.Store, c, position.NewClock(index, 0))
	if e.Blobs, err = disk.Open(filepath.Join(e.Dir, "storage")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Blobs.Close() })
	for _, name := range []string{"_mfas", "_otps", "_externalAuths", "_authOrigins"} {
		e.Save(t, systemJSON(name))
	}
	e.Save(t, AuthJSON(pando.SuperusersName, `{"id":"text20","name":"extra","type":"text","hidden":true}`))
	e.Save(t, AuthJSON("users", `{"id":"text21","name":"name","type":"text"}`))
	return e
}

// Save creates or changes a collection given as JSON with its secrets.
func (e *Env) Save(t testing.TB, text string) *pando.Collection {
	t.Helper()
	c := new(pando.Collection)
	if err := c.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e.SaveCollection(t, c)
}

// SaveCollection creates or changes a collection.
func (e *Env) SaveCollection(t testing.TB, c *pando.Collection) *pando.Collection {
	t.Helper()
	e.Write(t, func(tx store.Tx) error {
		return tx.SaveCollection(t.Context(), tx.Catalog().Collection(c.ID), c)
	})
	return e.Store.Catalog().Collection(c.ID)
}

// Change edits a collection.
func (e *Env) Change(t testing.TB, name string, edit func(*pando.Collection)) *pando.Collection {
	t.Helper()
	c := e.Store.Catalog().Collection(name).Clone()
	edit(c)
	return e.SaveCollection(t, c)
}

// Insert adds a record with these values, and an id if they have none.
func (e *Env) Insert(t testing.TB, collection string, values map[string]any) *pando.Record {
	t.Helper()
	c := e.Store.Catalog().Collection(collection)
	if c == nil {
		t.Fatalf("there is no collection %s", collection)
	}
	rec := pando.NewRecord(c)
	rec.Set("id", pando.NewID())
	if c.IsAuth() {
		rec.Set("tokenKey", pando.RandomString(50, "abcdefghijklmnopqrstuvwxyz"))
	}
	for k, v := range values {
		if c.Field(k) == nil {
			t.Fatalf("%s has no field %s", collection, k)
		}
		rec.Set(k, v)
	}
	e.Write(t, func(tx store.Tx) error { return tx.Insert(t.Context(), rec) })
	return rec
}

// Update changes values of a stored record and returns it as it is then.
func (e *Env) Update(t testing.TB, rec *pando.Record, values map[string]any) *pando.Record {
	t.Helper()
	var next *pando.Record
	e.Write(t, func(tx store.Tx) error {
		old, err := tx.Record(t.Context(), tx.Catalog().Collection(rec.Collection.ID), rec.ID())
		if err != nil {
			return err
		}
		next = old.Clone()
		for k, v := range values {
			next.Set(k, v)
		}
		return tx.Update(t.Context(), old, next)
	})
	return next
}

// Delete removes a stored record.
func (e *Env) Delete(t testing.TB, rec *pando.Record) {
	t.Helper()
	e.Write(t, func(tx store.Tx) error {
		old, err := tx.Record(t.Context(), tx.Catalog().Collection(rec.Collection.ID), rec.ID())
		if err != nil {
			return err
		}
		return tx.Delete(t.Context(), old)
	})
}

// Write runs fn in a transaction that must not fail.
func (e *Env) Write(t testing.TB, fn func(store.Tx) error) {
	t.Helper()
	if _, err := e.Store.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// Flush waits until every change so far has reached the followers of the stream.
func (e *Env) Flush(t testing.TB) {
	t.Helper()
	reached := make(chan struct{})
	stop := e.Stream.Subscribe(func(changes.Batch) { close(reached) })
	defer stop()
	e.Stream.Publish(changes.Batch{})
	<-reached
}

// Encode writes a record as its viewer may see it, without expand: what a
// service is given by the wiring, for tests that are not about it.
func Encode(_ context.Context, _ store.Reader, req *pando.Request, rec *pando.Record, expand string) ([]byte, error) {
	if expand != "" {
		return nil, fmt.Errorf("servicetest: this encoder cannot expand %q", expand)
	}
	su := req.IsSuperuser()
	owner := req.Auth != nil && req.Auth.Collection.ID == rec.Collection.ID && req.Auth.ID() == rec.ID()
	return wire.NewPlan(rec.Collection).AppendRecord(nil, rec, wire.Show{Hidden: su, Email: su || owner}), nil
}
