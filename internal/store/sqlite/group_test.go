package sqlite

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/store"
)

// A write that fails because of what somebody else is about to commit tells of
// it: so its answer waits for the commit, like that of a write that succeeds.
func TestFailuresWaitForTheCommit(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	notes := &pando.Collection{ID: "notes_id", Name: "notes", Type: pando.TypeBase, Fields: []*pando.Field{
		{ID: "f1", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}},
	}}
	if _, err := s.Write(t.Context(), func(tx store.Tx) error { return tx.SaveCollection(t.Context(), nil, notes) }); err != nil {
		t.Fatal(err)
	}
	notes = s.Catalog().Collection("notes")
	insert := func(id string) func(store.Tx) error {
		return func(tx store.Tx) error {
			r := pando.NewRecord(notes)
			r.Set("id", id)
			return tx.Insert(t.Context(), r)
		}
	}
	for i := range 20 {
		id := string(rune('a' + i))
		began, first := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := s.Write(t.Context(), func(tx store.Tx) error {
				close(began)
				for end := time.Now().Add(5 * time.Second); len(s.writer.queue) == 0; runtime.Gosched() {
					if time.Now().After(end) {
						return errors.New("nobody came")
					}
				}
				return insert(id)(tx)
			})
			first <- err
		}()
		<-began
		_, err := s.Write(t.Context(), insert(id))
		if _, ok := errors.AsType[*store.UniqueError](err); !ok {
			t.Fatalf("the second insert: %v, want a *store.UniqueError", err)
		}
		err = s.Read(t.Context(), func(r store.Reader) error {
			_, err := r.Record(t.Context(), notes, id)
			return err
		})
		if err != nil {
			t.Errorf("after somebody was told that %s is taken: %v", id, err)
		}
		if err := <-first; err != nil {
			t.Fatal(err)
		}
	}
}
