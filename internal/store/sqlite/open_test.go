package sqlite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando"
)

// shell runs SQL in the sqlite3 shell on a database file: another program.
func shell(t *testing.T, path string, sql string) string {
	t.Helper()
	out, err := exec.Command("sqlite3", path, sql).CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3 (Debian package sqlite3) %s: %v\n%s", sql, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		kind pando.Kind
		says string
	}{
		{"a database of another program", func(t *testing.T, path string) {
			shell(t, path, "CREATE TABLE x (a)")
		}, pando.KindInvalid, "another program"},
		{"a newer version", func(t *testing.T, path string) {
			s := open(t, Options{Dir: filepath.Dir(path)})
			s.Close()
			shell(t, path, "PRAGMA user_version = 2")
		}, pando.KindInvalid, "newer version"},
		{"no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, pando.KindInvalid, "not a SQLite database"},
		{"a directory in its place", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, pando.KindUnavailable, FileName},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), FileName)
			tt.make(t, file)
			before, _ := os.ReadFile(file)
			s, err := Open(Options{Dir: filepath.Dir(file)})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if pando.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v", err)
			}
			if after, _ := os.ReadFile(file); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

// Two processes that start on one empty directory must not both lay it out.
func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	done := make(chan error)
	for range 8 {
		go func() {
			s, err := Open(Options{Dir: dir})
			if err == nil {
				err = s.Close()
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
