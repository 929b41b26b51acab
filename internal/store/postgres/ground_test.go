package postgres

import (
	"context"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// things is a collection of records with a title and a number.
func things() *pando.Collection {
	return &pando.Collection{
		ID: "pbc_things", Name: "things", Type: pando.TypeBase,
		Fields: []*pando.Field{
			{ID: "f_id", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
			{ID: "f_title", Name: "title", Type: pando.FieldText, Options: &pando.TextOptions{}},
			{ID: "f_n", Name: "n", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
		},
	}
}

func thing(c *pando.Collection, id, title string, n float64) *pando.Record {
	r := pando.NewRecord(c)
	r.Set("id", id)
	r.Set("title", title)
	r.Set("n", n)
	return r
}

// fresh is a store on an empty database, with the collection things.
func fresh(t testing.TB, opts Options) (*Store, *pando.Collection) {
	t.Helper()
	_, opts.URL = localclustertest.Database(t)
	s := open(t, opts)
	return s, create(t, s, things())
}

func create(t testing.TB, s *Store, c *pando.Collection) *pando.Collection {
	t.Helper()
	write(t, s, func(tx store.Tx) error { return tx.SaveCollection(t.Context(), nil, c) })
	return s.Catalog().Collection(c.Name)
}

func write(t testing.TB, s *Store, fn func(tx store.Tx) error) position.N {
	t.Helper()
	n, err := s.Write(t.Context(), fn)
	if err != nil {
		t.Fatalf("Write: %v", err)
	}
	return n
}

// get reads one record; nil if there is none.
func get(t testing.TB, s *Store, c *pando.Collection, id string) (rec *pando.Record) {
	t.Helper()
	err := s.Read(store.One(context.Background()), func(r store.Reader) (err error) {
		rec, err = r.Record(context.Background(), c, id)
		if pando.KindOf(err) == pando.KindNotFound {
			rec, err = nil, nil
		}
		return err
	})
	if err != nil {
		t.Fatalf("read %s: %v", id, err)
	}
	return rec
}
