package files_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/disk"
	"github.com/pandobase/pando/internal/files"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

func TestRecover(t *testing.T) {
	f := newFixture(t)
	rec := f.put(t, map[string][]byte{"kept.png": pngBytes(t)}, "")
	ctx := t.Context()
	key := func(parts ...string) string { return strings.Join(parts, "/") }
	keep := []string{key("pbc_docs", rec.ID(), "kept.png"), key("pbc_docs", rec.ID(), "thumbs_kept.png", "100x50_kept.png")}
	lose := []string{
		key("pbc_docs", rec.ID(), "lost.png"),                           // its update did not happen
		key("pbc_docs", rec.ID(), "thumbs_lost.png", "100x50_lost.png"), //
		key("pbc_docs", "neverwasborn000", "a.png"),                     // its create did not
		key("pbc_gone", "x", "a.png"),                                   // its collection went
		key("docs", rec.ID(), "kept.png"),                               // files lie under ids
		key("pbc_docs", "kept.png"),                                     // what is this?
	}
	missing := key("pbc_docs", rec.ID(), "never-written.png")
	dropped := key("pbc_dropped", "x", "a.png") // noted by its collection's id alone
	for _, k := range append(slices.Clone(keep), append(lose, dropped)...) {
		if err := f.Blobs.Put(ctx, k, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	before, err := disk.Open(filepath.Join(f.Dir, "storage")) // by the process that crashed
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := before.Undecided(ctx, []string{"pbc_docs", "pbc_dropped"}); err != nil {
		t.Fatal(err)
	}
	lose = append(lose, dropped)
	if err := before.Undecided(ctx, append(append(slices.Clone(keep), lose[:len(lose)-1]...), missing)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.files.Recover(ctx); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(k string) bool {
		o, err := f.Blobs.Open(ctx, k)
		if err == nil {
			o.Close()
		}
		return err == nil
	}
	for _, k := range keep {
		if !exists(k) {
			t.Errorf("%s went", k)
		}
	}
	for _, k := range lose {
		if exists(k) {
			t.Errorf("%s stayed", k)
		}
	}
	if left, err := f.Blobs.Pending(ctx); err != nil || len(left) != 0 {
		t.Errorf("notes are left: %v, %v", left, err)
	}
}

// What a server without a primary knows decides nothing: it may lack the record that
// names a file.
func TestRecoverWaitsForThePrimary(t *testing.T) {
	f := newFixture(t)
	key := blob.Key("pbc_docs", "notyetshown0000", "a.png")
	if err := f.Blobs.Put(t.Context(), key, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := f.Blobs.Undecided(t.Context(), []string{key}); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-blob.Stale - time.Minute)
	notes, err := f.Blobs.Pending(t.Context())
	if err != nil || len(notes) != 1 {
		t.Fatalf("notes %v, %v", notes, err)
	}
	if err := os.Chtimes(filepath.Join(f.Dir, "storage", notes[0].ID), then, then); err != nil {
		t.Fatal(err)
	}
	clock := position.NewClock(position.NewIndex(0), 0)
	db := &turning{Store: f.Store}
	fs := files.New(files.Config{Store: db, Facts: f.Facts, Blobs: f.Blobs, Clock: clock})
	off := func() { clock.Degrade(false) }
	for _, c := range []struct {
		name           string
		before, during func()
		stays          bool
	}{
		{"there is no primary", func() { clock.Degrade(true) }, func() {}, true},
		{"and one comes meanwhile", func() { clock.Degrade(true) }, off, true},
		{"it goes meanwhile", off, func() { clock.Degrade(true) }, true},
		{"it goes and comes meanwhile", off, func() { clock.Degrade(true); off() }, true},
		{"it is there", off, func() {}, false},
	} {
		c.before()
		db.during = c.during
		if err := fs.Recover(t.Context()); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		o, err := f.Blobs.Open(t.Context(), key)
		if err == nil {
			o.Close()
		}
		if (err == nil) != c.stays {
			t.Errorf("%s: the file: %v", c.name, err)
		}
	}
}

// turning is a store around whose reads something happens.
type turning struct {
	store.Store
	during func()
}

func (s *turning) Read(ctx context.Context, fn func(store.Reader) error) error {
	defer s.during()
	return s.Store.Read(ctx, fn)
}

// Of several servers that share a store, each settles what a crash of its own has
// left, and what nobody can be about any more.
func TestRecoverLeavesOthersAlone(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "shared")
	open := func(server string) *disk.Store {
		s, err := disk.OpenShared(dir, server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	old := func(server, key string, age time.Duration) {
		then := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, ".pending", "@"+server, key), then, then); err != nil {
			t.Fatal(err)
		}
	}
	const grace = 10 * time.Second
	crashed, other := open("me"), open("other")
	if err := crashed.Undecided(ctx, []string{"own-old", "own-new"}); err != nil {
		t.Fatal(err)
	}
	old("me", "own-old", grace+time.Second)
	if err := other.Undecided(ctx, []string{"other-new", "other-old", "other-stale"}); err != nil {
		t.Fatal(err)
	}
	old("other", "other-old", blob.Stale-time.Minute)
	old("other", "other-stale", blob.Stale+time.Second)
	me := open("me")
	if err := me.Undecided(ctx, []string{"held", "held-stale"}); err != nil {
		t.Fatal(err)
	}
	old("me", "held", grace+time.Second)
	old("me", "held-stale", blob.Stale+time.Second)
	all := []string{"held", "held-stale", "other-new", "other-old", "other-stale", "own-new", "own-old"}
	for _, c := range all { // none of these is a collection
		if err := me.Put(ctx, c+"/r/a", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	fs := files.New(files.Config{Store: f.Store, Facts: f.Facts, Blobs: me, Grace: grace})
	if err := fs.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	stay := []string{"held", "other-new", "other-old", "own-new"}
	var noted, there []string
	notes, err := me.Pending(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notes {
		noted = append(noted, n.Key)
	}
	for _, c := range all {
		if o, err := me.Open(ctx, c+"/r/a"); err == nil {
			o.Close()
			there = append(there, c)
		}
	}
	slices.Sort(noted)
	if diff := cmp.Diff(stay, noted); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stay, there); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
