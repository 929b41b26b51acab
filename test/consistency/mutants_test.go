package consistency

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestMutantsAreCaught: the checker would notice. Each mutant is a server that is
// broken in one way (internal/mutant), and is mostly caught within a
// second; on a busy machine it may take longer.
func TestMutantsAreCaught(t *testing.T) {
	bin := buildMutants(t)
	start := func(t *testing.T, name, database string) *target.Server {
		s, err := target.StartPandoBin(t.Context(), bin, t.TempDir(), target.Surroundings{Database: database, Env: []string{"PANDO_MUTANT=" + name}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		return s
	}
	for _, name := range []string{
		"bump-after-commit", "publish-before-commit", "stamp-after-snapshot", "join-unjudged", "foreign-kept",
		"key-without-page", "missing-auth-field", "catalog-late", "rows-late", "rows-unmoved", "still-anyway", "restamp-late",
	} {
		t.Run(name, func(t *testing.T) { catch(t, onOneMachine(start(t, name, "")), time.Minute) })
	}
	c := twoReplicas(t)
	makeDeafRole(t, c)
	for _, name := range []string{"replica-unchecked", "pending-unmarked", "pending-unseen"} {
		t.Run(name, func(t *testing.T) {
			// A role that may not read the log: the server goes by its own commits alone.
			g := onReplicas(t, c, name, func(url string) *target.Server {
				return start(t, name, strings.Replace(url, "postgres@", deafRole+"@", 1))
			})
			g.weather = unsteady(c, rand.Uint64(), new(sync.Mutex))
			catch(t, g, time.Minute)
		})
	}
}

// soon is the time within which a mutant is to be caught.
const soon = 10 * time.Second

// catch runs the checker until it has found something, and is the time that it took.
func catch(t *testing.T, g ground, within time.Duration) time.Duration {
	t.Helper()
	r, err := check(context.WithoutCancel(t.Context()), g, limit{time: within, eager: true})
	if err != nil && strings.Contains(err.Error(), "status 404") {
		// Somebody was made and answered, and is not there for the next request.
		t.Logf("caught while the data was made: %v", err)
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.count == 0 {
		t.Fatalf("not caught: %v; %v", r, r.failures)
	}
	t.Logf("caught %s", r.violations[0])
	return r.found
}

func buildMutants(t *testing.T) (bin string) {
	t.Helper()
	bin, err := target.BuildMutants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
