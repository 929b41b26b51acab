// Package blobtest is the executable form of the contract of internal/blob.
// Each adapter runs it against itself.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
)

// Run holds a store to the contract. fresh makes an empty place and returns a
// function that opens it, as a new process would: each call of that function
// stands for a restart after a crash.
func Run(t *testing.T, fresh func(t *testing.T) (open func() blob.Store)) {
	t.Run("PutOpen", func(t *testing.T) { putOpen(t, fresh(t)()) })
	t.Run("Replace", func(t *testing.T) { replace(t, fresh(t)()) })
	t.Run("FailedPutLeavesNothing", func(t *testing.T) { failedPut(t, fresh(t)()) })
	t.Run("Missing", func(t *testing.T) { missing(t, fresh(t)()) })
	t.Run("Delete", func(t *testing.T) { deleteOne(t, fresh(t)()) })
	t.Run("DeleteAll", func(t *testing.T) { deleteAll(t, fresh(t)()) })
	t.Run("OpenSurvivesDelete", func(t *testing.T) { openSurvivesDelete(t, fresh(t)()) })
	t.Run("BadKeys", func(t *testing.T) { badKeys(t, fresh(t)()) })
	t.Run("OddKeys", func(t *testing.T) { oddKeys(t, fresh(t)) })
	t.Run("Notes", func(t *testing.T) { notes(t, fresh(t)) })
	t.Run("NotesAreCounted", func(t *testing.T) { notesAreCounted(t, fresh(t)()) })
	t.Run("Concurrent", func(t *testing.T) { concurrent(t, fresh(t)()) })
	t.Run("Fingerprint", func(t *testing.T) { fingerprint(t, fresh) })
	t.Run("Empty", func(t *testing.T) { empty(t, fresh(t)()) })
	t.Run("Cancelled", func(t *testing.T) { cancelled(t, fresh(t)()) })
}

func putOpen(t *testing.T, s blob.Store) {
	want := bytes.Repeat([]byte("0123456789"), 20_000)
	before := time.Now().Add(-time.Minute)
	put(t, s, "col/rec/a.bin", want)
	o, err := s.Open(t.Context(), "col/rec/a.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if o.Size() != int64(len(want)) {
		t.Errorf("size %d, want %d", o.Size(), len(want))
	}
	if m := o.Modified(); m.Before(before) || m.After(time.Now().Add(time.Minute)) {
		t.Errorf("modified at %v, which is not now", m)
	}
	if got := readAll(t, o); !bytes.Equal(got, want) {
		t.Errorf("read %d bytes that are not those that were put", len(got))
	}
	if _, err := o.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if got := string(readAll(t, o)); got != "56789" {
		t.Errorf("after seeking: %q", got)
	}
	put(t, s, "col/rec/empty", nil)
	if got := contents(t, s, "col/rec/empty"); len(got) != 0 {
		t.Errorf("an empty file has %d bytes", len(got))
	}
}

func replace(t *testing.T, s blob.Store) {
	put(t, s, "col/rec/a", []byte("a long first version"))
	put(t, s, "col/rec/a", []byte("second"))
	if got := string(contents(t, s, "col/rec/a")); got != "second" {
		t.Errorf("got %q", got)
	}
}

func failedPut(t *testing.T, s blob.Store) {
	broken := errors.New("the client went away")
	r := io.MultiReader(strings.NewReader("half of it"), errReader{broken})
	if err := s.Put(t.Context(), "col/rec/half", r); !errors.Is(err, broken) {
		t.Errorf("err = %v, want the reader's", err)
	}
	wantMissing(t, s, "col/rec/half")

	put(t, s, "col/rec/kept", []byte("whole"))
	r = io.MultiReader(strings.NewReader("half"), errReader{broken})
	if err := s.Put(t.Context(), "col/rec/kept", r); !errors.Is(err, broken) {
		t.Errorf("err = %v, want the reader's", err)
	}
	if got := string(contents(t, s, "col/rec/kept")); got != "whole" {
		t.Errorf("a failed Put changed the file to %q", got)
	}
}

func missing(t *testing.T, s blob.Store) {
	wantMissing(t, s, "col/rec/none")
	put(t, s, "col/rec/a", []byte("x"))
	wantMissing(t, s, "col")         // a directory is no file
	wantMissing(t, s, "col/rec")     //
	wantMissing(t, s, "col/rec/a/b") // a file is no directory
}

func deleteOne(t *testing.T, s blob.Store) {
	put(t, s, "col/rec/a", []byte("a"))
	put(t, s, "col/rec/b", []byte("b"))
	for range 2 { // the second finds nothing and says nothing
		if err := s.Delete(t.Context(), "col/rec/a"); err != nil {
			t.Fatal(err)
		}
	}
	wantMissing(t, s, "col/rec/a")
	if got := string(contents(t, s, "col/rec/b")); got != "b" {
		t.Errorf("its neighbour is %q", got)
	}
	if err := s.Delete(t.Context(), "col/rec"); err != nil {
		t.Errorf("deleting what is no file: %v", err)
	}
	if got := string(contents(t, s, "col/rec/b")); got != "b" {
		t.Errorf("after Delete of its directory's name it is %q", got)
	}
}

func deleteAll(t *testing.T, s blob.Store) {
	for _, k := range []string{"col/rec/a", "col/rec/thumbs_a/1_a", "col/rec2/a", "col2/rec/a"} {
		put(t, s, k, []byte(k))
	}
	if err := s.DeleteAll(t.Context(), "col/rec"); err != nil {
		t.Fatal(err)
	}
	wantMissing(t, s, "col/rec/a")
	wantMissing(t, s, "col/rec/thumbs_a/1_a")
	for _, k := range []string{"col/rec2/a", "col2/rec/a"} {
		if got := string(contents(t, s, k)); got != k {
			t.Errorf("%s is %q", k, got)
		}
	}
	if err := s.DeleteAll(t.Context(), "col/rec"); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := s.DeleteAll(t.Context(), "col2/rec/a"); err != nil { // nothing is below it
		t.Error(err)
	}
	if got := string(contents(t, s, "col2/rec/a")); got != "col2/rec/a" {
		t.Errorf("a file went that is not below the prefix")
	}
}

func openSurvivesDelete(t *testing.T, s blob.Store) {
	put(t, s, "col/rec/a", []byte("still here"))
	o, err := s.Open(t.Context(), "col/rec/a")
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := s.Delete(t.Context(), "col/rec/a"); err != nil {
		t.Fatal(err)
	}
	if got := string(readAll(t, o)); got != "still here" {
		t.Errorf("an open file became %q when it was deleted", got)
	}
}

var badKeyCases = []string{
	"", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", "a//b", "a/", "./a", "a/./b",
	"a\\b", "..\\..\\x", "a\x00b", ".pending/x", ".tmp/x", ".hidden", strings.Repeat("x", 256),
}

func badKeys(t *testing.T, s blob.Store) {
	ctx := t.Context()
	for _, key := range badKeyCases {
		_, openErr := s.Open(ctx, key)
		for op, err := range map[string]error{
			"Put":       s.Put(ctx, key, strings.NewReader("x")),
			"Open":      openErr,
			"Delete":    s.Delete(ctx, key),
			"DeleteAll": s.DeleteAll(ctx, key),
			"Undecided": s.Undecided(ctx, []string{"fine", key}),
		} {
			if pando.KindOf(err) != pando.KindInvalid {
				t.Errorf("%s(%.30q): %v, want a KindInvalid error", op, key, err)
			}
		}
	}
	wantPending(t, s)
}

var oddKeyCases = []string{
	"c/r/a b+c%2F&=?.png", "c/r/äöü_漢字.jpg", "c/r/-rf", "c/r/.hidden", "c/r/..x", "c/r/x..", "+/r/=a", "=/ /~",
	"c/r/" + strings.Repeat("l", 255), "c/r/" + strings.Repeat("漢", 85),
}

func oddKeys(t *testing.T, open func() blob.Store) {
	s := open()
	for _, key := range oddKeyCases {
		put(t, s, key, []byte(key))
		if got := string(contents(t, s, key)); got != key {
			t.Errorf("%q holds %q", key, got)
		}
	}
	if err := s.Undecided(t.Context(), oddKeyCases); err != nil {
		t.Fatal(err)
	}
	s = open()
	wantPending(t, s, oddKeyCases...)
	if err := s.Settled(t.Context(), pending(t, s)); err != nil {
		t.Fatal(err)
	}
	wantPending(t, s)
}

func notes(t *testing.T, open func() blob.Store) {
	s := open()
	wantPending(t, s)
	if err := s.Undecided(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if err := s.Undecided(t.Context(), []string{"c/r/a", "c/r/b", "c/r/c"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Decided(t.Context(), []string{"c/r/b", "c/r/never-noted"}); err != nil {
		t.Fatal(err)
	}
	wantPending(t, s, "c/r/a", "c/r/c")
	for _, n := range pending(t, s) {
		if !n.Own || !n.Held || n.Age > time.Minute {
			t.Errorf("a note just made is %+v", n)
		}
	}
	s = open()
	wantPending(t, s, "c/r/a", "c/r/c")
	for _, n := range pending(t, s) {
		if !n.Own || n.Held {
			t.Errorf("a note of before the restart is %+v", n)
		}
	}
	if err := s.Undecided(t.Context(), []string{"c/r/d"}); err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(pending(t, s), func(n blob.Note) bool { return n.Held })
	for range 2 { // the second time they are gone already
		if err := s.Settled(t.Context(), left); err != nil {
			t.Fatal(err)
		}
	}
	wantPending(t, s, "c/r/d")
	if err := s.Settled(t.Context(), pending(t, s)); err != nil { // a transaction that nobody waits for any more
		t.Fatal(err)
	}
	wantPending(t, s)
	if err := s.Decided(t.Context(), []string{"c/r/d"}); err != nil {
		t.Errorf("a note that is settled already: %v", err)
	}
	wantPending(t, s)
}

// Two transactions may hang on one file: one ending must not take the other's
// note.
func notesAreCounted(t *testing.T, s blob.Store) {
	key := []string{"c/r/a"}
	for range 2 {
		if err := s.Undecided(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	s.Decided(t.Context(), key)
	wantPending(t, s, key...)
	s.Decided(t.Context(), key)
	wantPending(t, s)
}

// Writers and deleters of one record's directory get in each other's way unless
// the store takes care.
func concurrent(t *testing.T, s blob.Store) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				key := fmt.Sprintf("col/rec%d/%d", i%3, w)
				want := strings.Repeat(key, 500)
				if err := s.Undecided(ctx, []string{key}); err != nil {
					t.Error(err)
				}
				if err := s.Put(ctx, key, strings.NewReader(want)); err != nil {
					t.Error(err)
				}
				o, err := s.Open(ctx, key)
				if err != nil {
					t.Error(err)
					continue
				}
				if got, err := io.ReadAll(o); err != nil || string(got) != want {
					t.Errorf("%s: %d bytes, %v", key, len(got), err)
				}
				o.Close()
				if err := s.Delete(ctx, key); err != nil {
					t.Error(err)
				}
				if err := s.Decided(ctx, []string{key}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantPending(t, s)
}

func cancelled(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "c/r/a", strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if err := s.Undecided(ctx, []string{"c/r/a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Undecided: %v", err)
	}
	wantMissing(t, s, "c/r/a")
	wantPending(t, s)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func put(t *testing.T, s blob.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, s blob.Store, key string) []byte {
	t.Helper()
	o, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	return readAll(t, o)
}

func readAll(t *testing.T, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantMissing(t *testing.T, s blob.Store, key string) {
	t.Helper()
	o, err := s.Open(t.Context(), key)
	if err == nil {
		o.Close()
	}
	if err == nil || pando.KindOf(err) != pando.KindNotFound {
		t.Errorf("Open(%q): %v, want a KindNotFound error", key, err)
	}
}

func pending(t *testing.T, s blob.Store) []blob.Note {
	t.Helper()
	notes, err := s.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return notes
}

func wantPending(t *testing.T, s blob.Store, want ...string) {
	t.Helper()
	var got []string
	for _, n := range pending(t, s) {
		got = append(got, n.Key)
	}
	want = slices.Clone(want)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
}
