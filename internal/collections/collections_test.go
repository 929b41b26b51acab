package collections_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/collections"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/sqlite"
)

// open makes the service on a real store in a new directory, with what every
// directory has.
func open(t *testing.T) (*collections.Service, store.Store) {
	t.Helper()
	s, err := sqlite.Open(sqlite.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := collections.Bootstrap(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return collections.New(collections.Config{Store: s}), s
}

// outcome is an answer or an error as one JSON text, as the web edge sends it.
func outcome(t *testing.T, a pando.Answer, err error) string {
	t.Helper()
	if err == nil {
		return string(a)
	}
	e, ok := err.(*pando.Error)
	if !ok {
		t.Fatalf("not an API error: %v", err)
	}
	data := e.Data
	if data == nil {
		data = pando.FieldErrors{}
	}
	return encode(t, map[string]any{"data": data, "message": e.Message})
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestBootstrapIsIdempotent(t *testing.T) {
	s, db := open(t)
	first, err := s.List(t.Context(), pando.ListQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "users"); err != nil {
		t.Fatal(err)
	}
	if err := collections.Bootstrap(context.Background(), db); err != nil {
		t.Fatal(err)
	}
	if db.Catalog().Collection("users") != nil {
		t.Error("users came back although it was deleted")
	}
	names := []string{}
	for _, item := range decode(t, string(first))["items"].([]any) {
		names = append(names, item.(map[string]any)["name"].(string))
	}
	want := []string{"_mfas", "_otps", "_externalAuths", "_authOrigins", "_superusers", "users"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
