package differential_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/pandobase/pando/test/differential"
	"github.com/pandobase/pando/test/differential/areas"
	"github.com/pandobase/pando/test/target"
)

// least is how many requests the run must have: a filter or a lost table must
// not make it pass by asking nothing.
const least = 400

// TestDifferential sends every request to two peers, to Pando and to Pando on
// PostgreSQL. No status and no key that the SDKs read may differ between a peer
// and Pando; anything else must be listed with its reason in
// docs/compatibility.md. Between the two peers there must be no difference at
// all: one would be a fault of the comparison, something random that is not
// normalised.
func TestDifferential(t *testing.T) {
	root, err := target.Root()
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(root, "docs", "compatibility.md")
	accepted, err := differential.ReadAccepted(page)
	if err != nil {
		t.Fatal(err)
	}
	onPostgres, err := differential.ReadAcceptedOnPostgres(page)
	if err != nil {
		t.Fatal(err)
	}
	requests := areas.All()
	if len(requests) < least {
		t.Fatalf("only %d requests, want at least %d", len(requests), least)
	}
	t.Logf("%d requests in %d areas", len(requests), len(differential.Areas(requests)))
	servers := []*target.Server{target.Peer(t), target.Peer(t), target.Pando(t), target.PandoPostgres(t)}
	runs := make([]differential.Run, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { runs[i] = differential.Send(t.Context(), s, requests) })
	}
	wg.Wait()

	for i, tt := range []struct {
		name     string
		accepted []differential.Accepted
	}{
		{"the peer and itself", nil},
		{"the peer and pando", accepted},
		{"the peer and pando on PostgreSQL", append(slices.Clone(accepted), onPostgres...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			left, unused := differential.Unlisted(differential.Compare(requests, runs[0], runs[i+1]), tt.accepted)
			if len(left) > 0 {
				t.Errorf("%d requests differ in ways that docs/compatibility.md does not list:\n%s", len(left), report("one", "other", left))
			}
			for _, row := range unused {
				t.Errorf("docs/compatibility.md lists a difference that is not there any more: %s, %s", row.Request, row.Where)
			}
		})
	}
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
