package postgres

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

// A copy that failed, or was killed, is no reason why another one should not be
// made into the same database.
func TestTargetAgain(t *testing.T) {
	pg, url := localclustertest.Database(t)
	opts := Options{URL: url, Logger: slog.New(slog.DiscardHandler)}
	ctx := t.Context()
	begin := func() *Target {
		t.Helper()
		to, err := OpenTarget(ctx, opts)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to.Store, func(tx store.Tx) error { return tx.SaveCollection(ctx, nil, things()) })
		return to
	}
	end := func(to *Target) {
		t.Helper()
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
	}

	end(begin()) // killed: it says nothing
	if _, err := Open(ctx, opts); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("a copy that was not finished was opened: %v", err)
	}
	failed := begin()
	if err := failed.Discard(ctx); err != nil {
		t.Fatal(err)
	}
	end(failed)
	_, name, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "/")
	name, _, _ = strings.Cut(name, "?")
	left, err := pg.ExecIn(ctx, name, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ^@ '_pando'")
	if err != nil || left != "" {
		t.Errorf("a copy that failed left %q, %v", left, err)
	}
	whole := begin()
	if err := whole.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	end(whole)
	if s := open(t, opts); s.Catalog().Collection("things") == nil {
		t.Error("the copy is not whole")
	}
	if _, err := OpenTarget(ctx, opts); pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a copy over data: %v", err)
	}
}
