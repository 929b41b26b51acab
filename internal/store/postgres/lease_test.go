package postgres

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/store"
)

func TestLease(t *testing.T) {
	_, url := localclustertest.Database(t)
	first := open(t, Options{URL: url, Identity: "dir 1"})
	c := create(t, first, things())

	_, err := Open(t.Context(), Options{URL: url, Identity: "dir 2", Logger: first.log})
	if pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), "since 20") {
		t.Fatalf("a second server: %v", err)
	}
	beside := open(t, Options{URL: url, OneShot: true}) // a command
	write(t, beside, func(tx store.Tx) error {
		return tx.Insert(t.Context(), thing(beside.Catalog().Collection("things"), "a", "", 1))
	})

	// The same directory comes back after a crash, and has it at once; what is left
	// of the old process writes no more.
	again := open(t, Options{URL: url, Identity: "dir 1"})
	write(t, again, func(tx store.Tx) error {
		return tx.Insert(t.Context(), thing(again.Catalog().Collection("things"), "b", "", 1))
	})
	_, err = first.Write(t.Context(), func(tx store.Tx) error { return tx.Insert(t.Context(), thing(c, "c", "", 1)) })
	if pando.KindOf(err) != pando.KindUnavailable || !strings.Contains(err.Error(), "taken over") {
		t.Errorf("the old process: %v", err)
	}
	if get(t, again, again.Catalog().Collection("things"), "c") != nil {
		t.Error("the old process has written")
	}

	// One that was ended in order leaves nothing to wait for.
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{URL: url, Identity: "dir 3"})
}

// What a command beside the server changes of the schema is noticed by both.
func TestForeignCatalog(t *testing.T) {
	_, url := localclustertest.Database(t)
	told := new(sink)
	s := open(t, Options{URL: url})
	c := create(t, s, things())
	beside := open(t, Options{URL: url, OneShot: true})
	next := beside.Catalog().Collection("things").Clone()
	next.Name, next.Field("n").Name = "papers", "number"
	write(t, beside, func(tx store.Tx) error {
		return tx.SaveCollection(t.Context(), tx.Catalog().Collection("things"), next)
	})
	// A write sees it at once: it checks the version.
	write(t, s, func(tx store.Tx) error {
		c := tx.Catalog().Collection("papers")
		if c == nil {
			return nil // the version is checked with the first statement: this run is not kept
		}
		r := pando.NewRecord(c)
		r.Set("id", "a")
		return tx.Insert(t.Context(), r)
	})
	err := s.Read(t.Context(), func(r store.Reader) error {
		_, err := r.Record(context.Background(), c, "a")
		return err
	})
	if s.Catalog().Collection("papers") == nil && pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("a read by the old name: %v", err)
	}
	_ = told
}
