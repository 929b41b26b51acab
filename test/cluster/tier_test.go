package cluster

import (
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

// warm has every member read some records, so that they lie in every cache.
func (s *stage) warm(t *testing.T, upTo int, want int64) {
	t.Helper()
	for range 2 {
		for i := range upTo {
			for _, m := range s.Members {
				if n, _ := s.get(t, m, i, ""); n != want {
					t.Fatalf("%s: %s shows %d, and %d was answered", keyID(i), m.Name, n, want)
				}
			}
		}
	}
}

// TestSchedule6: cache servers come back with what they had a while ago. Nobody is shown
// it, not by a server either that begins anew.
func TestSchedule6(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	for n := int64(1); n < 3; n++ {
		for i := range 30 {
			s.set(t, s.Members[i%3], i, n)
		}
		s.warm(t, 30, n)
		var dumps [][]byte
		for _, r := range s.Caches {
			dump, err := r.Save(t.Context())
			must(t, err)
			dumps = append(dumps, dump)
		}
		for i := range 30 {
			s.set(t, s.Members[i%3], i, n+100)
		}
		s.warm(t, 30, n+100)
		for i, r := range s.Caches {
			must(t, r.Restore(t.Context(), dumps[i]))
		}
		s.Members[0].Kill()
		must(t, s.Members[0].Restart(t.Context()))
		s.ready(t)
		s.warm(t, 30, n+100)
	}
}

// TestSchedule7: one server does not reach a cache server, writes what lies there, and
// others read it from there.
func TestSchedule7(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	web1 := s.Members[0]
	s.warm(t, 30, 0)
	for n := int64(1); n < 4; n++ {
		web1.ToCache[n%3].Down()
		for i := range 30 {
			s.set(t, web1, i, n)
		}
		s.warm(t, 30, n)
		must(t, web1.Heal())
		s.warm(t, 30, n)
	}
}

// TestAJoinerEmptiesNoCache: a server that comes to a cluster, and one that comes again,
// use what the others have put into the cache servers, and take nothing from anybody.
func TestAJoinerEmptiesNoCache(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Members: 2, Replicas: 1, Caches: 1, Flags: []string{"--shadow-reads", "off"}})
	queries := func() float64 { return s.queries(t, s.Members...) }
	// Within a second of a change of the schema everything counts as changed once more.
	before := queries()
	soon(t, "the caches are warm", func() bool {
		s.warm(t, keys, 0)
		before = queries()
		still(t, 1200*time.Millisecond)
		s.warm(t, keys, 0)
		return queries() == before
	})
	s.Add(t.Context(), t)
	s.ready(t)
	s.warm(t, keys, 0)
	if n := queries() - before; n > keys/10 {
		t.Errorf("%.0f queries for %d records that all lie in the cache, after a server has joined", n, keys)
	}
	last := s.Members[2]
	last.Kill()
	must(t, last.Restart(t.Context()))
	s.ready(t)
	before = queries()
	s.warm(t, keys, 0)
	if n := queries() - before; n > keys/10 {
		t.Errorf("%.0f queries for %d records that all lie in the cache, after a server was killed and came again", n, keys)
	}
}
