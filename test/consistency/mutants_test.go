package consistency

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestMutantsAreCaught: the checker would notice. Each mutant is a server that is
// broken in one way (internal/mutant), and must be caught within ten seconds.
func TestMutantsAreCaught(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "pando-mutants")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "mutants", "-o", bin, "./cmd/pando")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, name := range []string{
		"bump-after-commit", "publish-before-commit", "stamp-after-snapshot", "join-unjudged", "foreign-kept",
		"key-without-page", "key-without-auth", "catalog-late", "rows-late", "rows-unmoved", "still-anyway",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := target.StartPandoBin(t.Context(), bin, t.TempDir(), []string{"PANDO_MUTANT=" + name})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Stop()
			r, err := check(context.WithoutCancel(t.Context()), s, 10*time.Second, true)
			if err != nil {
				t.Fatal(err)
			}
			if r.count == 0 {
				t.Fatalf("not caught: %v; %v", r, r.failures)
			}
			t.Logf("caught after %v: %s", r.found.Round(time.Millisecond), r.violations[0])
		})
	}
}
