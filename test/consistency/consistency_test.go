package consistency

import (
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pandobase/pando/test/target"
)

// long has the tests run for longer.
var long = os.Getenv("PANDO_PROVE") != ""

// TestNobodyIsShownThePast runs the checker against the server as it is built, on
// each kind of database. PANDO_PROVE=1 runs it for longer.
func TestNobodyIsShownThePast(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		l := limit{time: 8 * time.Second}
		if long {
			l.time = 5 * time.Minute
		}
		hold(t, onOneMachine(target.Pando(t)), l, map[string]int64{
			"reads": 1000, "writes": 100, "events": 100, "revocations": 20, "writes by another program": 2,
		})
	})
	c := twoReplicas(t)
	t.Run("primary and replicas", func(t *testing.T) {
		l := limit{time: 2 * time.Minute, operations: 50_000}
		if long {
			l = limit{time: 30 * time.Minute, operations: 1_000_000}
		}
		g := onReplicas(t, c, "app", asBuilt(t))
		g.weather = unsteady(c, rand.Uint64(), new(sync.Mutex))
		hold(t, g, l, map[string]int64{
			"operations": l.operations, "writes": 200, "events": 200, "revocations": 50, "writes by another program": 2,
		})
		t.Log(served(t, g.server))
	})
	t.Run("a cluster that cannot follow the log", func(t *testing.T) {
		l := limit{time: 5 * time.Second}
		if long {
			l.time = 5 * time.Minute
		}
		deaf := newDeaf(t, c)
		g := onReplicas(t, c, "deaf", deaf.start)
		g.others = append(g.others, deaf.start(c.URL("deaf", "postgres")))
		g.deaf, g.weather = true, unsteady(c, rand.Uint64(), new(sync.Mutex))
		hold(t, g, l, map[string]int64{"reads": 500, "writes": 10, "revocations": 10, "writes by another program": 2})
		for _, s := range append(g.others, g.server) {
			deaf.cachesNothing(t, s)
		}
		deaf.needsDirect(t, c.URL("deaf", "postgres"))
	})
}

// hold runs the checker, which must find nothing, and have done this much at least.
func hold(t *testing.T, g ground, l limit, least map[string]int64) *report {
	t.Helper()
	l.log, l.least = t.Logf, least
	r, err := check(t.Context(), g, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v; porcupine on %d operations: %v (%d windows skipped)", r, r.second.Ops, r.second.Verdicts, r.second.Skipped)
	for _, v := range r.violations {
		t.Error(v)
	}
	for _, f := range r.failures {
		t.Error("the run broke off: ", f)
	}
	if n := r.second.Verdicts[porcupine.Unknown]; n > 0 {
		t.Errorf("porcupine did not come to an end with %d windows", n)
	}
	for _, lacks := range r.lacks(least) {
		t.Error(lacks, ": the run means nothing")
	}
	if t.Failed() {
		text := g.server.Output()
		t.Logf("the server's last words:\n%s", text[max(0, len(text)-4000):])
		for _, s := range append([]*target.Server{g.server}, g.others...) {
			for _, line := range s.Errors() {
				t.Log(s.Name, " could not say what is wrong: ", line)
			}
		}
	}
	return r
}
