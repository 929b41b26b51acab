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
// balancer has that was asked; and nobody is shown what is older than what any of them has
// answered. They have one cache server: those that keep answers there in one way use each
// other's, and those that do it in another never see them.
func TestVersionsSideBySide(t *testing.T) {
	s := stageOf(t, target.ClusterOptions{Caches: 1})
	bin, err := target.BuildMutants(t.Context())
	must(t, err)
	// The next version speaks formats 1 and 2; the one after it 2 and 3; and so on.
	next := []string{"PANDO_FORMAT=2", "PANDO_VERSION=v9.9.0"}
	// Of them, those after the first keep answers in another way.
	other := append(slices.Clone(next), "PANDO_TIER_FORMAT=2")
	later := s.StartBalancerOf(t, bin, next, s.Join()...)
	s.all(t, s.lb, later)
	b := s.book(t, 20)
	loads := []*load{s.startLoad(t, s.lb, 4, b), s.startLoad(t, later, 4, b)}
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
	shared := s.exchange(t)
	turn(bin, next...)
	mixed := s.pando(t, "node", "list")
	if strings.Count(mixed, "v9.9.0") != 1 || strings.Count(mixed, " up ") != 3 {
		t.Errorf("pando node list:\n%s", mixed)
	}
	shared.among(t, s.Members...)
	turn(bin, other...)
	within(t, 5*time.Second, "there are answers of both kinds", func() bool { return s.kinds(t) == 2 })
	turn(bin, other...)
	shared.among(t, s.Members[1:]...) // web4 is alone now
	// Among themselves they talk in the newer format.
	within(t, 5*time.Second, "all speak the newer format", func() bool {
		return !slices.ContainsFunc(s.Members, func(m *target.Member) bool {
			text := m.Output()
			return !strings.Contains(text[max(0, strings.LastIndex(text, "a tailer is followed")):], `"format":2`)
		})
	})
	present, err := target.BuildPando(t.Context())
	must(t, err)
	turn(present)                     // and back
	shared.among(t, s.Members[:2]...) // web7 is
	for i, l := range loads {
		l.end()
		if failures := l.failures(); len(failures) > 0 {
			t.Errorf("requests failed: %q", failures)
		}
		t.Logf("load balancer %d: %d reads, %d of which say that they may be old, %d writes; the slowest took %s", i+1, l.reads.Load(), l.marked.Load(), l.writes.Load(), time.Duration(l.slowest.Load()).Round(time.Millisecond))
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

// exchange is a collection whose records are made, read a few times, and never changed: a
// member that finds an answer on the cache server has it of another one that keeps answers in
// the same way.
type exchange struct {
	s  *stage
	id string
}

func (s *stage) exchange(t *testing.T) exchange {
	t.Helper()
	var made struct{ ID string }
	s.must(t, "POST", "/api/collections", object{
		"name": "letters", "type": "base", "viewRule": "", "createRule": "", "fields": []any{object{"name": "n", "type": "number"}},
	}, &made)
	return exchange{s, made.ID}
}

// hits is what m has found of it on the cache server.
func (x exchange) hits(t *testing.T, m *target.Member) (n float64) {
	t.Helper()
	all, err := m.Metrics(t.Context(), "pando_cache_collection_total")
	must(t, err)
	for labels, v := range all {
		if strings.Contains(labels, `collection="`+x.id+`"`) && strings.Contains(labels, `result="hit"`) {
			n += v
		}
	}
	return n
}

// among checks that these members use each other's answers, that the others, each alone with
// its way, find nothing, and that nobody finds what it cannot read.
func (x exchange) among(t *testing.T, members ...*target.Member) {
	t.Helper()
	const letters = "/api/collections/letters/records"
	before := map[*target.Member]float64{}
	for _, m := range x.s.Members {
		before[m] = x.hits(t, m)
	}
	for _, m := range members {
		within(t, 20*time.Second, m.Name+" finds what another one has kept", func() bool {
			var letter struct{ ID string }
			x.s.must(t, "POST", letters, object{"n": 1}, &letter)
			for range 2 * len(x.s.Members) {
				x.s.must(t, "GET", letters+"/"+letter.ID, nil, nil)
			}
			return x.hits(t, m) > before[m]
		})
	}
	for _, m := range x.s.Members {
		if n := x.hits(t, m) - before[m]; n > 0 && !slices.Contains(members, m) {
			t.Errorf("%s, alone with its way to keep answers, found %.0f", m.Name, n)
		}
		for _, cause := range []string{"forged", "foreign"} {
			n, err := m.Sum(t.Context(), "pando_cache_tier_rejected_total", "cause", cause)
			must(t, err)
			if n > 0 {
				t.Errorf("%s: %.0f answers on the cache server are %s", m.Name, n, cause)
			}
		}
	}
}

// kinds is in how many ways answers are kept on the cache server: their names begin with it.
func (s *stage) kinds(t *testing.T) int {
	t.Helper()
	names, err := s.Caches[0].Exec(t.Context(), "KEYS", "pando:*")
	must(t, err)
	kinds := map[string]bool{}
	for _, name := range strings.Fields(names) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(name, "pando:"), ":")
		kinds[kind] = true
	}
	return len(kinds)
}
