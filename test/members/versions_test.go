package members

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// TestVersionsSideBySide: a cluster is brought to the next version, and one server back
// again: each time a server of the one version joins, and one of the other leaves. No
// request fails meanwhile, whoever reads the log for all, and whichever version the load
// balancer has that was asked.
func TestVersionsSideBySide(t *testing.T) {
	s := newStage(t)
	bin, err := target.BuildMutants(t.Context())
	must(t, err)
	// The next version speaks formats 1 and 2; the one after it 2 and 3; and so on.
	next := []string{"PANDO_FORMAT=2", "PANDO_VERSION=v9.9.0"}
	later := s.StartBalancerOf(t, bin, next, s.Join()...)
	s.all(t, s.lb, later)
	var ids []string
	for range 20 {
		var made struct{ ID string }
		s.must(t, "POST", notes, object{"n": 0}, &made)
		ids = append(ids, made.ID)
	}
	loads := []*load{s.startLoad(t, s.lb, 4, ids), s.startLoad(t, later, 4, ids)}
	for _, l := range loads {
		within(t, 20*time.Second, "there is load", func() bool { return l.writes.Load() > 50 })
	}
	// What a newer version adds to the rows of members is nothing to the others.
	_, err = s.SQL(t.Context(), "ALTER TABLE _pando_members ADD COLUMN mood text NOT NULL DEFAULT 'good'")
	must(t, err)

	turn := func(bin string, env ...string) {
		t.Helper()
		began := time.Now()
		m, err := s.AddOf(t.Context(), t, bin, env...)
		must(t, err)
		s.all(t, s.lb, later)
		joined := time.Since(began)
		leaves := s.Members[0]
		must(t, leaves.Signal(syscall.SIGTERM))
		if code, err := leaves.Wait(t.Context()); err != nil || code != 0 {
			t.Errorf("%s ends with %d, %v", leaves.Name, code, err)
		}
		s.Members = slices.Delete(s.Members, 0, 1)
		s.all(t, s.lb, later)
		t.Logf("%s takes part after %s, %s is gone after %s", m.Name, joined.Round(time.Millisecond), leaves.Name, time.Since(began).Round(time.Millisecond))
	}
	turn(bin, next...)
	mixed := s.pando(t, "node", "list")
	if strings.Count(mixed, "v9.9.0") != 1 || strings.Count(mixed, " up ") != 3 {
		t.Errorf("pando node list:\n%s", mixed)
	}
	turn(bin, next...)
	turn(bin, next...)
	// Among themselves they talk in the newer format.
	within(t, 5*time.Second, "all speak the newer format", func() bool {
		return !slices.ContainsFunc(s.Members, func(m *target.Member) bool {
			text := m.Output()
			return !strings.Contains(text[max(0, strings.LastIndex(text, "a tailer is followed")):], `"format":2`)
		})
	})
	present, err := target.BuildPando(t.Context())
	must(t, err)
	turn(present) // and back
	for i, l := range loads {
		l.end()
		if failures := l.failures(); len(failures) > 0 {
			t.Errorf("requests failed: %q", failures)
		}
		t.Logf("load balancer %d: %d reads, %d writes; the slowest took %s", i+1, l.reads.Load(), l.writes.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond))
	}

	// One version too far joins nobody, and says why.
	_, err = s.AddOf(t.Context(), t, bin, "PANDO_FORMAT=3", "PANDO_VERSION=v11.0.0")
	if err == nil || !strings.Contains(err.Error(), "one server after the other") || !strings.Contains(err.Error(), "v11.0.0") {
		t.Errorf("a server of the version after the next: %v", err)
	}
	if n := strings.Count(s.pando(t, "node", "list"), " up "); n != 3 {
		t.Errorf("%d servers are left of 3", n)
	}
}
