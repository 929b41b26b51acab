package collections_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// unsure is a store that makes writes and does not say so.
type unsure struct{ store.Store }

func (s unsure) Write(ctx context.Context, fn func(store.Tx) error) (position.N, error) {
	if _, err := s.Store.Write(ctx, fn); err != nil {
		return 0, err
	}
	return 0, &pando.Error{Kind: pando.KindUnavailable, Data: pando.FieldErrors{"outcome": "unknown"}}
}

// TestFilesOfAnUnknownOutcome: where nobody knows whether records are gone, the
// notes about their files stay: without one, nobody would ever look for them.
func TestFilesOfAnUnknownOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(context.Context, *collections.Service) error
		note string
	}{
		"truncate": {func(ctx context.Context, s *collections.Service) error { return s.Truncate(ctx, "docs") }, "docsid/r/f"},
		"delete":   {func(ctx context.Context, s *collections.Service) error { return s.Delete(ctx, "docs") }, "docsid"},
		"import": {func(ctx context.Context, s *collections.Service) error {
			return s.Import(ctx, []json.RawMessage{json.RawMessage(`{"id":"other","name":"other"}`)}, true)
		}, "docsid"},
	} {
		t.Run(name, func(t *testing.T) {
			s, db, blobs := withFiles(t, nil)
			must(t, s, `create {"id":"docsid","name":"docs","fields":[{"name":"doc","type":"file"}]}`)
			insert(t, db, "docs", map[string]any{"id": "r", "doc": "f"})
			if err := blobs.Put(t.Context(), "docsid/r/f", bytes.NewReader([]byte("x"))); err != nil {
				t.Fatal(err)
			}
			err := c.do(t.Context(), collections.New(collections.Config{Store: unsure{db}, Blobs: blobs}))
			if !store.IsUnknown(err) {
				t.Fatalf("it ended with %v", err)
			}
			notes, err := blobs.Pending(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			noted := map[string]bool{}
			for _, n := range notes {
				noted[n.Key] = true
			}
			if name == "import" { // which takes the collection of a new directory along
				delete(noted, "_pb_users_auth_")
			}
			if diff := cmp.Diff(map[string]bool{c.note: true}, noted); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}
