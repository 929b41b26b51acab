package consistency

import (
	"os"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pandobase/pando/test/target"
)

// TestNobodyIsShownThePast runs the checker against the server as it is built.
// PANDO_PROVE=1 runs it for five minutes instead of eight seconds.
func TestNobodyIsShownThePast(t *testing.T) {
	d := 8 * time.Second
	if os.Getenv("PANDO_PROVE") != "" {
		d = 5 * time.Minute
	}
	r, err := check(t.Context(), target.Pando(t), d, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v: %v; porcupine on %d operations of %d records: %v", d, r, r.secondOps, len(r.second), r.second)
	for _, v := range r.violations {
		t.Error(v)
	}
	for _, f := range r.failures {
		t.Error("the run broke off: ", f)
	}
	for _, v := range r.second {
		if v == porcupine.Unknown {
			t.Error("porcupine did not come to an end")
		}
	}
	for what, n := range map[string]int64{
		"reads": r.reads.Load(), "writes": r.writes.Load(), "events": r.events.Load(),
		"revocations": r.revocations.Load(), "writes by sqlite3": r.outside.Load(),
	} {
		if least := map[string]int64{"reads": 1000, "writes": 100, "events": 100, "revocations": 20}[what]; n < max(least, 2) {
			t.Errorf("only %d %s: the run means nothing", n, what)
		}
	}
}
