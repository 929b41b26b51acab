package files_test

import (
	"context"
	"testing"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/files"
	"github.com/pandobase/pando/internal/servicetest"
	"github.com/pandobase/pando/internal/store"
)

// TestWhatChangesWhileAFileIsAskedFor: a file is shown by the rules that hold when it is
// looked for, and not by those of before.
func TestWhatChangesWhileAFileIsAskedFor(t *testing.T) {
	const joins = "@collection.docs.owner ?= @request.auth.id"
	for _, c := range []struct {
		name, file, token, rule string
		read                    int // before which the change comes; 0: while the token is looked at
		change                  func(*pando.Collection)
		shown                   bool
	}{
		{"it comes to be protected", "a.txt", "", "owner = @request.auth.id", 1, func(c *pando.Collection) {
			c.Field("pub").Options.(*pando.FileOptions).Protected = true
		}, false},
		{"it does not any more", "p.txt", "", "owner = @request.auth.id", 1, func(c *pando.Collection) {
			c.Field("prot").Options.(*pando.FileOptions).Protected = false
		}, true},
		{"nobody may see it", "p.txt", "ada", "owner = @request.auth.id", 0, func(c *pando.Collection) { c.ViewRule = nil }, false},
		{"somebody else may", "p.txt", "ada", joins, 2, func(c *pando.Collection) { c.ViewRule = new(joins + " && id = ''") }, false},
		{"and so may she", "p.txt", "ada", joins, 2, func(c *pando.Collection) { c.ViewRule = new(joins + " && id != ''") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.Change(t, "docs", func(docs *pando.Collection) { docs.ViewRule = &c.rule })
			rec := f.put(t, map[string][]byte{"a.txt": []byte("a"), "p.txt": []byte("p")}, "p.txt")
			changed := false
			change := func() {
				changed = true
				f.Change(t, "docs", c.change)
			}
			s := &servicetest.Busy{Store: f.Store, N: c.read, Change: change}
			f.files = files.New(files.Config{
				Store: s, Facts: store.Direct{Store: s}, Blobs: f.Blobs,
				Identify: func(_ context.Context, token string) (*pando.Record, error) {
					if c.read == 0 && !changed {
						change()
					}
					return f.users[token], nil
				},
			})
			_, err := f.open(t, "docs", rec.ID(), c.file, pando.FileQuery{Token: c.token})
			if (err == nil) != c.shown || err != nil && pando.KindOf(err) != pando.KindNotFound || !changed {
				t.Errorf("%v; want it shown: %v; changed: %v", err, c.shown, changed)
			}
		})
	}
}
