package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Open: func(t *testing.T, index *position.Index, sink changes.Sink) store.Store {
			return open(t, Options{Dir: t.TempDir(), Index: index, Sinks: []changes.Sink{sink}, RememberFrom: 1})
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
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, FileName), backup, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, Options{Dir: dir})
			checkIntegrity(t, s)
			return s
		},
	})
}

// open opens a store that is closed when the test ends.
func open(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
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

// checkIntegrity asks SQLite whether the file is whole.
func checkIntegrity(t *testing.T, s *Store) {
	t.Helper()
	c, err := s.openReader()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	err = c.each("PRAGMA integrity_check", func(q *stmt) error {
		if got := q.text(0); got != "ok" {
			t.Errorf("integrity: %s", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
