package takeover

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/differential"
	"github.com/pandobase/pando/test/differential/areas"
	"github.com/pandobase/pando/test/target"
)

// TestTransfer copies what the differential run leaves on a single server into
// PostgreSQL, and asks both everything that the run had asked: every URL answers
// the same bytes, and every token of before is still good.
func TestTransfer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "single")
	single, err := target.StartPando(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { single.Stop() })
	run := differential.Send(ctx, single, areas.All())
	single.Stop()

	_, url := localclustertest.Database(t)
	held := filepath.Join(dir, "pando.lock") // by whom the directory was used last
	sums := checksums(t, dir)
	delete(sums, held)
	out := runPando(t, "import", "pando", dir, "--dir", filepath.Join(t.TempDir(), "moved"), "--database", url)
	t.Log(out)
	after := checksums(t, dir)
	delete(after, held)
	if diff := cmp.Diff(sums, after); diff != "" {
		t.Errorf("the source was changed (-before +after):\n%s", diff)
	}
	if !strings.Contains(out, "users  ") || !strings.Contains(out, "sha256") {
		t.Error("no row counts and checksums of the collections")
	}

	moved, err := target.StartPandoIn(ctx, dir, target.Surroundings{Database: url}) // files are the same in both directories
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { moved.Stop() })
	single, err = target.StartPando(ctx, copyDir(t, dir))
	if err != nil {
		t.Fatal(err)
	}

	requests := slices.DeleteFunc(differential.Reads(areas.All()), moving)
	if len(requests) < 1000 {
		t.Fatalf("only %d requests to compare", len(requests))
	}
	a := differential.Replay(ctx, single, requests, run.Vars)
	b := differential.Replay(ctx, moved, requests, run.Vars)
	compared, good := 0, 0
	for i, q := range requests {
		x, y := a.Answers[i], b.Answers[i]
		if x.Err != nil || y.Err != nil {
			t.Errorf("%s: %v, %v", q.ID(), x.Err, y.Err)
			continue
		}
		if refused := refusedView.FindStringSubmatch(q.Path); refused != nil && strings.Contains(out, "view "+refused[1]+":") {
			continue // its query is not PostgreSQL's, as the copy has said
		}
		compared++
		if x.Status == http.StatusOK {
			good++
		}
		if x.Status != y.Status || string(x.Body) != string(y.Body) {
			t.Errorf("%s (%s?%s): %d and %d\n%s", q.ID(), q.Path, q.Query.Encode(), x.Status, y.Status, cmp.Diff(lines(string(x.Body)), lines(string(y.Body))))
		}
	}
	if good < compared/3 {
		t.Errorf("only %d of %d answers were good: the data is gone", good, compared)
	}
	t.Logf("%d answers compared byte for byte, %d of them with status 200", compared, good)
}

var refusedView = regexp.MustCompile(`^/api/collections/(view_\d+)/`)

// moving tells of requests whose answer hangs on the moment or on chance.
func moving(q differential.Request) bool {
	text := q.Path + "?" + q.Query.Encode() + q.Name
	for _, word := range []string{"random", "now", "Now", "todayStart", "api/files/token", "row_number"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// A copy that cannot be made says why and leaves no target.
func TestTransferRefused(t *testing.T) {
	source := filepath.Join(t.TempDir(), "single")
	if s, err := target.StartPando(t.Context(), source); err != nil {
		t.Fatal(err)
	} else {
		s.Stop()
	}
	_, used := localclustertest.Database(t)
	runPando(t, "superuser", "upsert", "a@example.com", "1234567890", "--dir", t.TempDir(), "--database", used)
	_, free := localclustertest.Database(t)
	for _, tt := range []struct{ name, source, database, want string }{
		{"no data", t.TempDir(), free, "no Pando data"},
		{"a database with data", source, used, "not empty"},
		{"no database named", source, "", "--database"},
		{"no such database", source, strings.Replace(free, "/test", "/nothing", 1), "There is no database"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"import", "pando", tt.source, "--dir", source}
			if tt.database != "" {
				args = append(args, "--database", tt.database)
			}
			out, err := exec.Command(pandoBinary(t), args...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v, %q; want a failure that says %q", err, out, tt.want)
			}
		})
	}
}

// copyDir is a copy of a directory, for a second server on the same data.
func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}
