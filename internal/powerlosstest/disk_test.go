//go:build linux

package powerlosstest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded is the environment variable that makes the test binary the process
// that is recorded; its value is the directory.
const recorded = "PANDO_POWERLOSSTEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(recorded); dir != "" {
		if err := touch(dir); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// touch does one of each operation.
func touch(dir string) error {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	f, err1 := os.Create(a)
	_, err2 := f.WriteString("hello")
	_, err3 := f.WriteString(", ")
	_, err4 := f.WriteAt([]byte("H"), 0)
	g, err5 := os.OpenFile(a, os.O_WRONLY|os.O_APPEND, 0)
	_, err6 := g.WriteString("world")
	err := errors.Join(err1, err2, err3, err4, err5, err6, f.Sync(), f.Truncate(3))
	fmt.Print("done")
	d, err7 := os.Open(dir)
	return errors.Join(err, os.Rename(a, b), err7, d.Sync(), os.Remove(b))
}

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), recorded+"="+dir)
	ops, err := Record(cmd, dir)
	if err != nil {
		t.Fatal(err)
	}
	name := func(path string) string {
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return path
		}
		return rel
	}
	for i := range ops {
		if ops[i].Path != "" {
			ops[i].Path = name(ops[i].Path)
		}
		if ops[i].To != "" {
			ops[i].To = name(ops[i].To)
		}
	}
	want := []Op{
		{Kind: Create, Path: "a"},
		{Kind: Truncate, Path: "a"},
		{Kind: Write, Path: "a", Data: []byte("hello")},
		{Kind: Write, Path: "a", Offset: 5, Data: []byte(", ")},
		{Kind: Write, Path: "a", Data: []byte("H")},
		{Kind: Write, Path: "a", Offset: -1, Data: []byte("world")},
		{Kind: Sync, Path: "a"},
		{Kind: Truncate, Path: "a", Size: 3},
		{Kind: Mark, Data: []byte("done")},
		{Kind: Rename, Path: "a", To: "b"},
		{Kind: Sync, Path: "."},
		{Kind: Remove, Path: "b"},
	}
	if diff := cmp.Diff(want, ops); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCrash(t *testing.T) {
	w := func(path string, offset int64, data string) Op {
		return Op{Kind: Write, Path: path, Offset: offset, Data: []byte(data)}
	}
	d := NewDisk("/d")
	for _, op := range []Op{
		{Kind: Create, Path: "/d/a"}, w("/d/a", 0, "certain"), {Kind: Sync, Path: "/d/a"}, {Kind: Sync, Path: "/d"},
		w("/d/a", 0, "perhaps"), {Kind: Create, Path: "/d/b"}, w("/d/b", 0, "x"),
	} {
		d.Apply(op)
	}
	d.Apply(Op{Kind: Create, Path: "/d/a"}) // is there already
	seen := map[string]bool{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		dir := t.TempDir()
		if err := d.Crash(rnd, dir); err != nil {
			t.Fatal(err)
		}
		a, err := os.ReadFile(filepath.Join(dir, "a"))
		if err != nil {
			t.Fatalf("a file that is certain: %v", err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "b"))
		if err != nil {
			b = []byte("none")
		}
		seen[string(a)+" "+string(b)] = true
	}
	want := map[string]bool{
		"certain none": true, "certain ": true, "certain x": true,
		"perhaps none": true, "perhaps ": true, "perhaps x": true,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("what can be left (-want +got):\n%s", diff)
	}
}
