package postgres_test

import (
	"context"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// TestALookAtAViewIsForAll: it goes on when the client has gone for whom it began, and the
// next one goes by it.
func TestALookAtAViewIsForAll(t *testing.T) {
	_, url := localclustertest.Database(t)
	s := openStreamed(t, url, position.NewIndex(0), nil)
	id := []*pando.Field{{ID: "f_id", Name: "id", Type: pando.FieldText, Options: &pando.TextOptions{PrimaryKey: true}}}
	table := &pando.Collection{ID: "pbc_things", Name: "things", Type: pando.TypeBase, Fields: id}
	view := &pando.Collection{ID: "pbc_shown", Name: "shown", Type: pando.TypeView, ViewQuery: "SELECT id FROM things", Fields: id}
	for _, c := range []*pando.Collection{table, view} {
		if _, err := s.Write(t.Context(), func(tx store.Tx) error { return tx.SaveCollection(t.Context(), nil, c) }); err != nil {
			t.Fatal(err)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, ok := s.ViewTags(gone, view); ok {
		t.Error("it has not waited for the look")
	}
	tags, ok := s.ViewTags(t.Context(), view)
	if !ok || len(tags) != 1 || tags[0] != position.TableTag(table.ID) {
		t.Errorf("the view hangs on %v, %v", tags, ok)
	}
}
