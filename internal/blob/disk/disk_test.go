package disk_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/blob"
	"github.com/pandobase/pando/internal/blob/blobtest"
	"github.com/pandobase/pando/internal/blob/disk"
)

func open(t *testing.T, dir string) *disk.Store {
	t.Helper()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) func() blob.Store {
		dir := filepath.Join(t.TempDir(), "storage")
		return func() blob.Store { return open(t, dir) }
	})
}

func TestShared(t *testing.T) {
	shared := func(t *testing.T) func(string) blob.Store {
		dir := filepath.Join(t.TempDir(), "storage")
		return func(server string) blob.Store {
			s, err := disk.OpenShared(dir, server)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	}
	blobtest.RunShared(t, shared)
	t.Run("Contract", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) func() blob.Store {
			open := shared(t)
			return func() blob.Store { return open("one") }
		})
	})
}

// Of a shared directory a server removes its own temporary files, and others' only
// when nobody can be writing to them.
func TestTempsOfOthersStay(t *testing.T) {
	dir := t.TempDir()
	s, err := disk.OpenShared(dir, "one")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	then := time.Now().Add(-2 * time.Hour)
	for name, old := range map[string]bool{"one.a": false, "one.b": true, "oneself.a": false, "two.a": false, "two.b": true, "c": false} {
		path := filepath.Join(dir, ".tmp", name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if old {
			if err := os.Chtimes(path, then, then); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.RemoveTemps(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"c", "oneself.a", "two.a"}, names(t, filepath.Join(dir, ".tmp"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A directory of one server that several share from now on: nobody knows whose the
// notes in it are.
func TestNotesOfBeforeSharing(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir).Undecided(t.Context(), []string{"c/r/a"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, ".pending", "c%2Fr%2Fa")
	then := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	s, err := disk.OpenShared(dir, "one")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Pending(t.Context())
	if err != nil || len(got) != 1 || got[0].Own || got[0].Key != "c/r/a" || got[0].Age < time.Hour {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFilesLieWhereTheirKeysSay(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Put(t.Context(), "col/rec/a.txt", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "col", "rec", "a.txt"))
	if err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	if err := s.Delete(t.Context(), "col/rec/a.txt"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{".pending", ".tmp"}, names(t, dir)); diff != "" {
		t.Errorf("empty directories stay behind (-want +got):\n%s", diff)
	}
}

func TestNoLinkLeadsOut(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s := open(t, dir)
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{"col": outside, "file": secret}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"col/secret", "file"} {
		if o, err := s.Open(t.Context(), key); err == nil || pando.KindOf(err) != pando.KindNotFound {
			t.Errorf("Open(%s) = %v, %v; want a KindNotFound error", key, o, err)
		}
	}
	if err := s.Put(t.Context(), "col/new", strings.NewReader("x")); err == nil {
		t.Error("Put went through the link")
	}
	if err := s.Delete(t.Context(), "col/secret"); err == nil {
		t.Error("Delete went through the link without a word")
	}
	if err := s.DeleteAll(t.Context(), "col"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"secret"}, names(t, outside)); diff != "" {
		t.Errorf("outside (-want +got):\n%s", diff)
	}
}

func TestPipesAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), "pipe"); pando.KindOf(err) != pando.KindNotFound || err == nil {
		t.Errorf("%v, want a KindNotFound error", err)
	}
}

func TestDeadTempsGo(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	old, fresh := filepath.Join(dir, ".tmp", "old"), filepath.Join(dir, ".tmp", "fresh")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	then := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, then, then); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if diff := cmp.Diff([]string{"fresh"}, names(t, filepath.Join(dir, ".tmp"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.RemoveTemps(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Join(dir, ".tmp")); len(got) != 0 {
		t.Errorf("left behind by its owner: %q", got)
	}
}

func TestForeignFilesAmongTheNotes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for name, text := range map[string]string{"%zz": "", "=torn": "", "=evil": "../../x", "..%2Fx": ""} {
		if err := os.WriteFile(filepath.Join(dir, ".pending", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Pending(t.Context())
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// A disk that is full says so, and leaves nothing behind.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	err := s.Put(t.Context(), "c/r/a", fullDisk{})
	if pando.KindOf(err) != pando.KindUnavailable {
		t.Errorf("%v, want a KindUnavailable error", err)
	}
	if got := names(t, filepath.Join(dir, ".tmp")); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

// fullDisk stands at the edge of the machine: the error of a write reaches Put
// through io.Copy just as one of a read does.
type fullDisk struct{}

func (fullDisk) Read([]byte) (int, error) { return 0, syscall.ENOSPC }

var _ io.Reader = fullDisk{}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
