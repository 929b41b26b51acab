package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
	"github.com/pandobase/pando/internal/transfer"
)

func open(t *testing.T) (*sqlite.Store, *disk.Store) {
	t.Helper()
	db, err := sqlite.Open(sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	files, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	return db, files
}

// source is a database with a table, a view of it, and more records than one
// batch holds.
func source(t *testing.T) (*sqlite.Store, *disk.Store) {
	t.Helper()
	db, files := open(t)
	notes := &pando.Collection{ID: "notes_id", Name: "notes", Type: pando.TypeBase, Fields: []*pando.Field{
		{ID: "f1", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
		{ID: "f2", Name: "n", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
		{ID: "f3", Name: "data", Type: pando.FieldJSON, Options: &pando.JSONOptions{}},
		{ID: "f4", Name: "docs", Type: pando.FieldFile, Options: &pando.FileOptions{MaxSelect: 2}},
	}, Indexes: []string{"CREATE INDEX idx_n ON notes (n)"}}
	view := &pando.Collection{ID: "view_id", Name: "a_view", Type: pando.TypeView, ViewQuery: "SELECT id, n FROM notes", Fields: []*pando.Field{
		{ID: "v1", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
		{ID: "v2", Name: "n", Type: pando.FieldNumber, Options: &pando.NumberOptions{}},
	}}
	write(t, db, func(tx store.Tx) error {
		for _, c := range []*pando.Collection{notes, view} {
			if err := tx.SaveCollection(t.Context(), nil, c); err != nil {
				return err
			}
		}
		for i := range 1201 {
			r := pando.NewRecord(notes)
			r.Set("id", "r"+strconv.Itoa(1201-i)) // not in the order of ids
			r.Set("n", float64(i)/3)
			r.Set("data", json.RawMessage(`{"b": [1, 2],  "a": null}`))
			if i == 7 {
				r.Set("docs", []string{"a.txt", "gone.txt"})
			}
			if err := tx.Insert(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err := files.Put(t.Context(), blob.Key("notes_id", "r1194", "a.txt"), strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	return db, files
}

func write(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	if _, err := s.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	from, fromFiles := source(t)
	to, toFiles := open(t)
	var reports []string
	last := transfer.Progress{}
	job := transfer.Transfer{From: from, To: to, FromFiles: fromFiles, ToFiles: toFiles, Options: transfer.Options{
		Report:   func(text string) { reports = append(reports, text) },
		Progress: func(p transfer.Progress) { last = p },
	}}
	sum, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(sum.Collections) != 1 || sum.Collections[0].Rows != 1201 || len(sum.Collections[0].Sum) != 64 || sum.Views != 1 || sum.Files != 1 || sum.NotTaken != 1 {
		t.Errorf("summary %+v", sum)
	}
	if !last.Checking || last.Rows != 1201 || last.Total != 1201 {
		t.Errorf("the last progress was %+v", last)
	}
	if len(reports) != 1 || !strings.Contains(reports[0], "gone.txt") {
		t.Errorf("reported %q, want the missing file alone", reports)
	}
	if o, err := toFiles.Open(t.Context(), blob.Key("notes_id", "r1194", "a.txt")); err != nil {
		t.Error(err)
	} else {
		o.Close()
	}
	var first []string
	err = to.Read(t.Context(), func(r store.Reader) error {
		page, err := r.Find(t.Context(), store.Query{Collection: r.Catalog().Collection("notes"), Limit: 3, IDsOnly: true})
		for _, rec := range page.Records {
			first = append(first, rec.ID())
		}
		return err
	})
	if err != nil || strings.Join(first, " ") != "r1201 r1200 r1199" {
		t.Errorf("the copy begins with %v, %v: not in insertion order", first, err)
	}
}

// meddler changes the target behind the copy's back, before it is compared.
type meddler struct {
	store.Store
	meddle func()
}

func (m *meddler) Read(ctx context.Context, fn func(store.Reader) error) error {
	if m.meddle != nil {
		m.meddle()
		m.meddle = nil
	}
	return m.Store.Read(ctx, fn)
}

// Whatever arrives otherwise than it was sent is an error that names the
// collection.
func TestDifferenceIsFound(t *testing.T) {
	edit := func(change func(*pando.Record)) func(tx store.Tx) error {
		return func(tx store.Tx) error {
			old, err := tx.Record(context.Background(), tx.Catalog().Collection("notes"), "r600")
			if err != nil {
				return err
			}
			r := old.Clone()
			change(r)
			return tx.Update(context.Background(), old, r)
		}
	}
	for name, damage := range map[string]func(store.Tx) error{
		"a number":       edit(func(r *pando.Record) { r.Set("n", 0.5) }),
		"space in JSON":  edit(func(r *pando.Record) { r.Set("data", json.RawMessage(`{"b":[1,2],"a":null}`)) }),
		"a name of file": edit(func(r *pando.Record) { r.Set("docs", []string{"x"}) }),
		"a lost record": func(tx store.Tx) error {
			old, err := tx.Record(context.Background(), tx.Catalog().Collection("notes"), "r600")
			return errors.Join(err, tx.Delete(context.Background(), old))
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, _ := source(t)
			to, _ := open(t)
			m := &meddler{Store: to}
			m.meddle = func() { write(t, to, damage) }
			job := transfer.Transfer{From: from, To: m}
			_, err := job.Run(t.Context())
			if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "collection notes") {
				t.Errorf("error %v, want one that names the collection", err)
			}
		})
	}
}
