package blobtest

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/blob"
)

// Place is what every store has besides the contract, for operators.
type Place interface {
	// Fingerprint is the same for all who use one place, and another for any other.
	Fingerprint(context.Context) (string, error)
	// Empty tells whether there is no file, Clear removes all.
	Empty(context.Context) (bool, error)
	Clear(context.Context) error
}

func fingerprint(t *testing.T, fresh func(*testing.T) func() blob.Store) {
	here, there := fresh(t), fresh(t)
	name := func(s blob.Store) string {
		t.Helper()
		text, err := s.(Place).Fingerprint(t.Context())
		if err != nil || text == "" {
			t.Fatalf("%q, %v", text, err)
		}
		return text
	}
	first := name(here())
	if second := name(here()); second != first {
		t.Errorf("after a restart it is %q, before %q", second, first)
	}
	if other := name(there()); other == first {
		t.Errorf("two places have the same: %q", other)
	}
}

func empty(t *testing.T, s blob.Store) {
	want := func(want bool) {
		t.Helper()
		if got, err := s.(Place).Empty(t.Context()); err != nil || got != want {
			t.Errorf("empty: %v, %v, want %v", got, err, want)
		}
	}
	if _, err := s.(Place).Fingerprint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Undecided(t.Context(), []string{"c/r/a"}); err != nil {
		t.Fatal(err)
	}
	want(true) // what is the store's own does not count
	put(t, s, "c/r/a", []byte("a"))
	put(t, s, "d/r/b", []byte("b"))
	want(false)
	if err := s.(Place).Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(true)
	wantPending(t, s, "c/r/a")
}

// RunShared holds a store to what several servers that share it count on. fresh
// makes an empty place and returns a function that opens it for a server.
func RunShared(t *testing.T, fresh func(t *testing.T) (open func(server string) blob.Store)) {
	t.Run("ReadByAll", func(t *testing.T) { readByAll(t, fresh(t)) })
	t.Run("NotesOfOthers", func(t *testing.T) { notesOfOthers(t, fresh(t)) })
	t.Run("SameFingerprint", func(t *testing.T) { sameFingerprint(t, fresh(t)) })
	t.Run("ServersAtOnce", func(t *testing.T) { serversAtOnce(t, fresh(t)) })
}

// What one has put, and removed, is so for the others at once.
func readByAll(t *testing.T, open func(string) blob.Store) {
	one, two := open("one"), open("two")
	for i := range 10 {
		text := fmt.Sprint("version ", i)
		put(t, one, "c/r/a", []byte(text))
		if got := string(contents(t, two, "c/r/a")); got != text {
			t.Fatalf("the other reads %q, want %q", got, text)
		}
		if err := two.Delete(t.Context(), "c/r/a"); err != nil {
			t.Fatal(err)
		}
		wantMissing(t, one, "c/r/a")
	}
}

func notesOfOthers(t *testing.T, open func(string) blob.Store) {
	one, two := open("one"), open("two")
	key := []string{"c/r/a"}
	for _, s := range []blob.Store{one, two} {
		if err := s.Undecided(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	own := func(s blob.Store) (list []bool) {
		for _, n := range pending(t, s) {
			if n.Key != key[0] || n.Held && !n.Own {
				t.Errorf("%+v", n)
			}
			list = append(list, n.Own)
		}
		return list
	}
	for _, s := range []blob.Store{one, two} {
		if got := own(s); len(got) != 2 || got[0] == got[1] {
			t.Errorf("own: %v, want one of the two", got)
		}
	}
	two = open("two") // after a crash
	if err := one.Decided(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{true}, own(two)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]bool{false}, own(one)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := one.Settled(t.Context(), pending(t, one)); err != nil { // who is dead does not come back
		t.Fatal(err)
	}
	wantPending(t, two)
}

// Servers that come up together agree.
func sameFingerprint(t *testing.T, open func(string) blob.Store) {
	texts := make([]string, 4)
	var wg sync.WaitGroup
	for i := range texts {
		s := open(fmt.Sprint("server", i))
		wg.Go(func() {
			var err error
			if texts[i], err = s.(Place).Fingerprint(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, text := range texts {
		if text == "" || text != texts[0] {
			t.Fatalf("%q", texts)
		}
	}
}

// Two that make the same file at once, as they do with thumbs, leave one whole.
func serversAtOnce(t *testing.T, open func(string) blob.Store) {
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range 3 {
		s := open(fmt.Sprint("server", i))
		text := strings.Repeat(fmt.Sprint(i), 30_000)
		wg.Go(func() {
			for range 10 {
				if err := s.Put(ctx, "c/r/thumbs_a/1_a", strings.NewReader(text)); err != nil {
					t.Error(err)
				}
				o, err := s.Open(ctx, "c/r/thumbs_a/1_a")
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := io.ReadAll(o)
				o.Close()
				if err != nil || len(got) != len(text) || strings.Trim(string(got), string(got[:1])) != "" {
					t.Errorf("%d bytes that are not of one writer, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}
