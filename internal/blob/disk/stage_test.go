package disk_test

import (
	"io"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/blob/disk"
)

func TestStageKeepsWhatIsDeleted(t *testing.T) {
	ctx := t.Context()
	s, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(key string) {
		t.Helper()
		if err := s.Put(ctx, key, strings.NewReader("of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	put("c/r/early.txt")
	put("c/r/thumbs_early.txt/10x10_early.txt")
	g, err := s.Stage()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Add(ctx); err != nil {
		t.Fatal(err)
	}
	put("c/r/late.txt")
	if err := s.DeleteAll(ctx, "c/r/early.txt"); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, "c/r/early.txt"); err != nil {
		t.Fatal(err)
	}
	if err := g.Add(ctx); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"c/r/early.txt", "c/r/late.txt"} {
		f, err := g.Open(key)
		if err != nil {
			t.Fatalf("%s is not in the stage: %v", key, err)
		}
		data, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(data) != "of "+key {
			t.Errorf("%s = %q, %v", key, data, err)
		}
	}
	if f, err := g.Open("c/r/thumbs_early.txt/10x10_early.txt"); err == nil {
		f.Close()
		t.Error("thumbs are staged")
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Open("c/r/late.txt"); err == nil {
		t.Error("the stage is there after Close")
	}
	if f, err := s.Open(ctx, "c/r/late.txt"); err != nil {
		t.Errorf("closing the stage took the file away: %v", err)
	} else {
		f.Close()
	}
}
