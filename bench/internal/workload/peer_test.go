package workload

import (
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
)

// TestMain lets the test's own program be the bare server, as pandobench does.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "bare" {
		log.Fatal(server.ServeBare(os.Args[3], os.Args[5]))
	}
	os.Exit(m.Run())
}

// TestOnPeer runs the workloads against PocketBase and the bare handler, each
// for a moment on little data, and wants no wrong answer.
func TestOnPeer(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts PocketBase; not with -short")
	}
	r := peerRunner(t)
	for _, w := range All {
		switch {
		case w.Large: // Pando only
			continue
		case strings.HasPrefix(w.Name, "big-"): // differs in its data only, which is replaced here
			continue
		case w.Name == "login-storm": // 200 passwords take too long for a test
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			if w.Spec.Records > 0 {
				w.Spec.Records, w.Spec.Users = 2000, 3
			}
			w.Rate = min(w.Rate, 200)
			result, err := r.Run(t.Context(), &w)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range result.Series {
				if why := s.Void(); why != "" {
					t.Errorf("%s: %s", s.Label, why)
				}
			}
			if len(result.Series) == 0 || w.Bare != (result.Of(report.Bare) != nil) {
				t.Errorf("took part: %d series", len(result.Series))
			}
		})
	}
	if left, err := os.ReadDir(r.Scratch); err == nil {
		t.Errorf("%d directories are left behind", len(left))
	}
}

func peerRunner(t *testing.T) *Runner {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "pocketbase")
	if err := server.BuildPocketBase(t.Context(), filepath.Join("..", "..", "peers", "pocketbase"), path); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{
		Targets: []server.Kind{server.PocketBase, server.Bare}, Binaries: make(map[server.Kind]server.Binary),
		Store:   &dataset.Store{Root: filepath.Join(dir, "data"), Log: t.Logf},
		Scratch: filepath.Join(dir, "scratch"),
		Rounds:  1, Duration: 100 * time.Millisecond, Conns: 4, Log: t.Logf,
	}
	for kind, path := range map[server.Kind]string{server.PocketBase: path, server.Bare: self} {
		if r.Binaries[kind], err = server.Inspect(kind, path); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
