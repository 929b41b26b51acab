package records_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/files"
	"github.com/pandobase/pando/internal/records"
	"github.com/pandobase/pando/internal/store"
)

// TestFilesOfAnUnknownOutcome: nobody but the database knows what a write was that has
// no answer. Until it is asked, no file goes and every note stays.
func TestFilesOfAnUnknownOutcome(t *testing.T) {
	const name, unknown = "doc000000000000", `503 It may have been saved or not. {"outcome":"unknown"}`
	for _, made := range []bool{true, false} {
		for _, do := range []string{"create", "update", "delete"} {
			t.Run(fmt.Sprintf("%s, made: %t", do, made), func(t *testing.T) {
				db := new(between)
				w := newWorld(t, db.install)
				docs(t, w)
				if do != "create" {
					w.ok(t, call{do: "create", collection: "docs", body: `{"id":"` + name + `"}`, files: uploads("doc", file("old.txt", "1"))})
				}
				before := stored(t, w)
				db.unsure(made)
				c := call{do: do, collection: "docs", id: name}
				if do != "delete" {
					c.body, c.files = `{"id":"`+name+`"}`, uploads("doc", file("new.txt", "2"))
				}
				if got := w.run(t, c); got != unknown {
					t.Fatalf("got %s", got)
				}
				db.write = nil
				now := stored(t, w)
				for key := range before {
					if !now[key] {
						t.Errorf("%s went before the database was asked", key)
					}
				}
				if do != "delete" && len(now) != len(before)+1 {
					t.Errorf("the new file is not there: %v", now)
				}
				want := 1
				if do == "update" {
					want = 2 // of the file that came, and of the one that goes
				}
				if notes, err := w.env.Blobs.Pending(t.Context()); err != nil || len(notes) != want {
					t.Errorf("notes %v, %v; want %d", notes, err, want)
				}

				settle(t, w)
				left := w.files(t)
				got := w.run(t, call{do: "view", collection: "docs", id: name})
				there := do == "create" == made || do == "update"
				if (got[:3] == "200") != there {
					t.Fatalf("the record: %s", got)
				}
				if !there {
					if len(left) > 0 {
						t.Errorf("of a record that is not there are left %v", left)
					}
					return
				}
				doc := w.ok(t, call{do: "view", collection: "docs", id: name})["doc"].(string)
				if want := blob.Key("pbc_docs", name, doc); len(left) != 1 || left[0] != want {
					t.Errorf("left are %v, the record names %s", left, want)
				}
			})
		}
	}
}

// TestATriedAgainUnknownOutcome: that a second try is refused says nothing of the first.
func TestATriedAgainUnknownOutcome(t *testing.T) {
	db := new(between)
	hooks := new(records.Hooks)
	w := newWorld(t, db.install, func(c *records.Config) { c.Hooks = hooks })
	docs(t, w)
	db.unsure(true)
	hooks.Create.Add(func(ctx context.Context, _ *records.Event, next func(context.Context) error) error {
		if err := next(ctx); !store.IsUnknown(err) {
			t.Errorf("the first try: %v", err)
		}
		db.write = nil
		return next(ctx)
	})
	got := w.run(t, call{do: "create", collection: "docs", body: `{"id":"doc000000000000"}`, files: uploads("doc", file("a.txt", "1"))})
	if want := `400 Failed to create record. {"id":"validation_not_unique"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	settle(t, w)
	if left := w.files(t); len(left) != 1 {
		t.Errorf("the record is there, and of its file is left %v", left)
	}
}

// stored is the keys of all files, whatever notes there are.
func stored(t *testing.T, w *world) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	root := os.DirFS(filepath.Join(w.env.Dir, "storage", "pbc_docs"))
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			keys["pbc_docs/"+path] = true
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// settle has the notes gone through when their writers have given up.
func settle(t *testing.T, w *world) {
	t.Helper()
	notes, err := w.env.Blobs.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-blob.Stale - time.Minute)
	for _, n := range notes {
		if err := os.Chtimes(filepath.Join(w.env.Dir, "storage", n.ID), then, then); err != nil {
			t.Fatal(err)
		}
	}
	f := files.New(files.Config{Store: w.env.Store, Facts: w.env.Facts, Blobs: w.env.Blobs})
	if err := f.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
}
