// Package bench runs the benchmark program as a user would, each workload for
// a moment on little data, and wants no wrong answer from any server.
package bench

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pandobase/pando/test/peer"
	"github.com/pandobase/pando/test/target"
)

func TestPeer(t *testing.T) {
	run(t, "-targets", "pocketbase,bare")
}

func TestPando(t *testing.T) {
	run(t, "-targets", "pando,bare")
}

// TestPandoLarge loads its data with "pando import".
func TestPandoLarge(t *testing.T) {
	run(t, "-targets", "pando", "-large")
}

// run runs every workload once and reads the results.
func run(t *testing.T, flags ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // all is built by the first
	defer cancel()
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pocketbase, err := peer.Build(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	pando, err := target.BuildPando(ctx)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, "bin", "pandobench") // where the next test finds it built
	build(ctx, t, root, program, "./bench/cmd/pandobench")
	cmd := exec.CommandContext(ctx, program, append(flags,
		"-small", "-rounds", "1", "-duration", "100ms", "-conns", "4",
		"-pando", pando, "-pocketbase", pocketbase,
		"-data", filepath.Join(dir, "data"), "-results", dir, "-name", "test")...)
	cmd.Dir = root
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	check(t, filepath.Join(dir, "test.json"))
	if left, err := filepath.Glob(filepath.Join(dir, "data", "run-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func build(ctx context.Context, t *testing.T, root, to, pkg string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
}

// check wants a faultless round of every server in every workload.
func check(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		Workloads []struct {
			Name   string
			Series []struct {
				Label, Fault string
				Samples      []struct {
					Completed, Errors int
					FirstError        string
				}
			}
		}
	}
	if err := json.Unmarshal(b, &result); err != nil {
		t.Fatal(err)
	}
	if len(result.Workloads) == 0 {
		t.Error("no workloads")
	}
	for _, w := range result.Workloads {
		if len(w.Series) == 0 {
			t.Errorf("%s: no server took part", w.Name)
		}
		for _, s := range w.Series {
			if s.Fault != "" || len(s.Samples) != 1 {
				t.Errorf("%s: %s: %d rounds, fault %q", w.Name, s.Label, len(s.Samples), s.Fault)
				continue
			}
			if got := s.Samples[0]; got.Errors > 0 || got.Completed == 0 {
				t.Errorf("%s: %s: %d right, %d wrong: %s", w.Name, s.Label, got.Completed, got.Errors, got.FirstError)
			}
		}
	}
}
