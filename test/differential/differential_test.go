package differential_test

import (
	"bytes"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pandobase/pando/test/differential"
	"github.com/pandobase/pando/test/differential/areas"
	"github.com/pandobase/pando/test/target"
)

// least is how many requests the run must have: a filter or a lost table must
// not make it pass by asking nothing.
const least = 400

// TestDifferential sends every request to the peer and to Pando. No status and
// no key that the SDKs read may differ; anything else must be listed with its
// reason in docs/compatibility.md.
func TestDifferential(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := differential.ReadAccepted(filepath.Join(root, "docs", "compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	results := run(t, target.Peer(t), target.Pando(t))
	left, unused := differential.Unlisted(results, accepted)
	if len(left) > 0 {
		t.Errorf("%d requests differ in ways that docs/compatibility.md does not list:\n%s", len(left), report("peer", "pando", left))
	}
	for _, row := range unused {
		t.Errorf("docs/compatibility.md lists a difference that is not there any more: %s, %s", row.Request, row.Where)
	}
}

// TestPeerAgainstItself sends every request to two peers. Any difference is a
// fault of the comparison: something random that is not normalised.
func TestPeerAgainstItself(t *testing.T) {
	results := run(t, target.Peer(t), target.Peer(t))
	if left, _ := differential.Unlisted(results, nil); len(left) > 0 {
		t.Errorf("two peers differ in %d requests:\n%s", len(left), report("one", "two", left))
	}
}

func run(t *testing.T, a, b *target.Server) []differential.Result {
	t.Helper()
	requests := areas.All()
	if len(requests) < least {
		t.Fatalf("only %d requests, want at least %d", len(requests), least)
	}
	var runs [2]differential.Run
	var wg sync.WaitGroup
	for i, s := range []*target.Server{a, b} {
		wg.Go(func() { runs[i] = differential.Send(t.Context(), s, requests) })
	}
	wg.Wait()
	t.Logf("%d requests in %d areas", len(requests), len(differential.Areas(requests)))
	return differential.Compare(requests, runs[0], runs[1])
}

func report(a, b string, results []differential.Result) string {
	var buf bytes.Buffer
	differential.Report(&buf, a, b, results)
	const most = 200_000
	if buf.Len() > most {
		buf.Truncate(most)
		buf.WriteString("\n… for all of it: go run ./test/differential/cmd")
	}
	return buf.String()
}
