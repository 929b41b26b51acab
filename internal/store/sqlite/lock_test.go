package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
)

func TestLockDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	l, err := LockDir(dir, LockInfo{PID: 4711, Started: started})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Describe(LockInfo{PID: 4711, Address: "http://127.0.0.1:8090", Started: started}); err != nil {
		t.Fatal(err)
	}
	_, err = LockDir(dir, LockInfo{PID: 1})
	if pando.KindOf(err) != pando.KindUnavailable {
		t.Fatalf("a second lock: %v", err)
	}
	for _, want := range []string{dir, "process 4711", "http://127.0.0.1:8090", "2026-01-02 03:04:05"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %s", err, want)
		}
	}
	// A store of a one-shot command works beside it.
	open(t, Options{Dir: dir})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := LockDir(dir, LockInfo{PID: os.Getpid()})
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	again.Close()
}
