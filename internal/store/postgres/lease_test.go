package postgres

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
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
	// of the old process writes no more, and reads no more soon.
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
	read := func() error {
		return first.Read(t.Context(), func(r store.Reader) error {
			_, err := r.Param(t.Context(), "x")
			return err
		})
	}
	for end := time.Now().Add(10 * leaseBeat); !errors.Is(read(), errLeaseLost); { // it hears of it with a beat
		if time.Now().After(end) {
			t.Fatal("the old process goes on reading")
		}
		if err := pause(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
	}

	// One that was ended in order leaves nothing to wait for.
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{URL: url, Identity: "dir 3"})
}

// What a command beside the server changes of the schema is noticed: by a write at
// once, which checks the gate, and else because a probe says so.
func TestForeignCatalog(t *testing.T) {
	_, url := localclustertest.Database(t)
	told := new(sink)
	s := open(t, Options{URL: url, Sinks: []changes.Sink{told}})
	create(t, s, things())
	beside := open(t, Options{URL: url, OneShot: true})
	rename := func(name string) {
		next := beside.Catalog().Collection("pbc_things").Clone()
		next.Name = name
		write(t, beside, func(tx store.Tx) error {
			return tx.SaveCollection(t.Context(), tx.Catalog().Collection("pbc_things"), next)
		})
	}
	rename("papers")
	write(t, s, func(tx store.Tx) error {
		c := tx.Catalog().Collection("pbc_things") // of the old name, in a run that is not kept
		return tx.Insert(t.Context(), thing(c, "a", "", 1))
	})
	if s.Catalog().Collection("papers") == nil {
		t.Error("a write has not noticed another name")
	}
	rename("letters")
	deadline := time.After(10 * time.Second)
	for s.Catalog().Collection("letters") == nil {
		select {
		case <-s.nodes.watcher.State().Changed():
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("nobody has noticed another name")
		}
	}
	if get(t, s, s.Catalog().Collection("letters"), "a") == nil {
		t.Error("the record is gone")
	}
	unlisted := false
	for _, b := range told.take() {
		unlisted = unlisted || b.Catalog && b.Unlisted
	}
	if !unlisted {
		t.Error("followers were not told")
	}
}

// A write that others' changes of the schema come before, again and again, gets its turn.
func TestOftenTooLate(t *testing.T) {
	_, url := localclustertest.Database(t)
	s := open(t, Options{URL: url})
	create(t, s, things())
	beside := open(t, Options{URL: url, OneShot: true})
	tries := 0
	write(t, s, func(tx store.Tx) error {
		c := tx.Catalog().Collection("pbc_things")
		if tries++; tries <= writeTries+5 {
			write(t, beside, func(tx store.Tx) error {
				next := tx.Catalog().Collection("pbc_things").Clone()
				next.Name = fmt.Sprint("papers", tries)
				return tx.SaveCollection(t.Context(), tx.Catalog().Collection("pbc_things"), next)
			})
		}
		return tx.Insert(t.Context(), thing(c, "a", "", 1))
	})
	if tries != writeTries+6 {
		t.Errorf("%d tries", tries)
	}
}
