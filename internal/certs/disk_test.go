package certs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/certs/certstest"
)

func TestDisk(t *testing.T) {
	certstest.Run(t, func(t *testing.T) func() certstest.Storage {
		dir := t.TempDir()
		return func() certstest.Storage { return certs.Disk(dir).(certstest.Storage) }
	})
}

// Nobody but the owner reads a key.
func TestDiskIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certificates")
	s := certs.Disk(dir)
	if err := s.Store(t.Context(), "a/b.key", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if err := s.Lock(t.Context(), "l"); err != nil {
		t.Fatal(err)
	}
	defer s.Unlock(t.Context(), "l")
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		seen++
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || seen < 5 {
		t.Fatalf("%d files and directories, %v", seen, err)
	}
}
