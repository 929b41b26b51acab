package workload

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/report"
	"github.com/pandobase/pando/bench/internal/server"
)

// offline is a session that requests can be made for but not sent.
func offline() *session {
	return &session{
		contender: contender{label: "pando", kind: server.Pando, spec: dataset.Spec{Records: 1000, Users: 3}},
		proc:      &server.Process{Addr: "127.0.0.1:1"},
		tokens:    []string{"token-0", "token-1", "token-2"},
	}
}

// TestScripts reads every script's requests as a server would.
func TestScripts(t *testing.T) {
	for _, w := range All {
		if w.Script == nil {
			continue
		}
		t.Run(w.Name, func(t *testing.T) {
			script := offline().script(&w, 0)
			for i := range 100 {
				raw, shot := script.Next(i%4, nil)
				if shot.Kind >= len(w.Kinds) || len(shot.Want) == 0 {
					t.Fatalf("shot %+v", shot)
				}
				r := bufio.NewReader(bytes.NewReader(raw))
				req, err := http.ReadRequest(r)
				if err != nil {
					t.Fatalf("%v:\n%s", err, raw)
				}
				if _, err := io.Copy(io.Discard, req.Body); err != nil {
					t.Fatalf("%v:\n%s", err, raw)
				}
				if r.Buffered() > 0 {
					t.Fatalf("%d bytes after the request:\n%s", r.Buffered(), raw)
				}
				if req.Header.Get("Authorization") == "" || req.Header.Get("User-Agent") != dataset.UserAgent {
					t.Fatalf("headers of:\n%s", raw)
				}
			}
		})
	}
}

// TestRoundsAreTheSameForEveryServer compares the requests that two servers
// get in the same round, and in different ones.
func TestRoundsAreTheSameForEveryServer(t *testing.T) {
	requests := func(w *Workload, round int) (all []string) {
		script := offline().script(w, round)
		for range 50 {
			raw, _ := script.Next(0, nil)
			all = append(all, string(raw))
		}
		return all
	}
	for _, w := range All {
		if w.Script == nil {
			continue
		}
		if diff := cmp.Diff(requests(&w, 1), requests(&w, 1)); diff != "" {
			t.Errorf("%s: two servers get different requests:\n%s", w.Name, diff)
		}
		if slices.Equal(requests(&w, 1), requests(&w, 2)) {
			t.Errorf("%s: two rounds have the same requests", w.Name)
		}
	}
}

func TestBareIsAskedButNotChecked(t *testing.T) {
	s := offline()
	s.kind = server.Bare
	if _, shot := s.script(find("view"), 0).Next(0, nil); shot.Want != nil {
		t.Errorf("bare must contain %q", shot.Want)
	}
}

func TestMixIsNineteenToOne(t *testing.T) {
	script := mix(offline(), rand.New(rand.NewPCG(1, 1)))
	updates := 0
	for range 20_000 {
		_, shot := script.Next(0, nil)
		updates += shot.Kind
	}
	if updates < 900 || updates > 1100 {
		t.Errorf("%d updates among 20,000 requests, want about 1,000", updates)
	}
}

func TestScatterIsAPermutation(t *testing.T) {
	for _, n := range []int{1, 2, 1000, 10_000, 99_999} {
		seen := make([]bool, n)
		for rank := range n {
			i := scatter(rank, n)
			if i < 0 || i >= n || seen[i] {
				t.Fatalf("n=%d: rank %d goes to %d, which is taken or outside", n, rank, i)
			}
			seen[i] = true
		}
	}
}

func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, w := range All {
		if seen[w.Name] {
			t.Errorf("two workloads named %s", w.Name)
		}
		seen[w.Name] = true
		if w.Title == "" || (w.Script == nil && w.Measure == nil && w.Alone == nil) {
			t.Errorf("%s: incomplete", w.Name)
		}
	}
	for _, g := range report.Goals {
		if g.Workload != "" && !seen[g.Workload] {
			t.Errorf("goal %q is measured by %q, which does not exist", g.Title, g.Workload)
		}
	}
}

func find(name string) *Workload {
	for i := range All {
		if All[i].Name == name {
			return &All[i]
		}
	}
	return nil
}
