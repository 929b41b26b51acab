package postgres

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Open: func(t *testing.T, index *position.Index, sink changes.Sink) store.Store {
			_, url := localclustertest.Database(t)
			return open(t, Options{URL: url, Index: index, Sinks: []changes.Sink{sink}})
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			opts := s.(*Store).opts
			opts.Index = position.NewIndex(0)
			return open(t, opts)
		},
		Restore: func(t *testing.T, backup []byte) store.Store {
			_, url := localclustertest.Database(t)
			if err := Restore(t.Context(), Options{URL: url}, bytes.NewReader(backup)); err != nil {
				t.Fatal(err)
			}
			return open(t, Options{URL: url})
		},
		SQL: map[string]string{
			// A cast to the type that it has already is none.
			"SELECT cast(id AS text) id FROM notes": "SELECT id || '' AS id FROM notes",
		},
	})
}

// open opens a store that is closed when the test ends.
func open(t testing.TB, opts Options) *Store {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}
