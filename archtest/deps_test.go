package archtest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestDeps: a package that comes into the binary, or leaves it, is seen in the
// change that brings it.
func TestDeps(t *testing.T) {
	data, err := os.ReadFile("../deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	written := strings.Fields(string(data))
	cmd := exec.Command("go", "list", "-deps", "./cmd/pando")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0") // as make deps says
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var have []string
	for name := range strings.FieldsSeq(string(out)) {
		first, _, _ := strings.Cut(name, "/")
		if strings.Contains(first, ".") && name != module && !strings.HasPrefix(name, module+"/") {
			have = append(have, name)
		}
	}
	if len(have) == 0 {
		t.Fatal("no dependencies at all: the test looks at the wrong list")
	}
	for _, name := range have {
		if !slices.Contains(written, name) {
			t.Errorf("%s is new in the binary: if it is meant to be, run make deps and commit deps.txt", name)
		}
	}
	for _, name := range written {
		if !slices.Contains(have, name) {
			t.Errorf("%s is no longer in the binary: run make deps and commit deps.txt", name)
		}
	}
}
