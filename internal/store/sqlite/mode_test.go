//go:build unix

package sqlite

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Password hashes and the secrets of tokens are in these files: nobody else on
// the machine may read them, not even in a directory that somebody else made.
func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got := map[string]fs.FileMode{}
	for _, name := range []string{FileName, FileName + "-wal", FileName + "-shm"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = info.Mode()
	}
	want := map[string]fs.FileMode{FileName: 0o600, FileName + "-wal": 0o600, FileName + "-shm": 0o600}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
