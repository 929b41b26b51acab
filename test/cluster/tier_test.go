package cluster

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
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

// rewrite has every record up to that be written, so many times, and with n the last time.
func (s *stage) rewrite(t *testing.T, upTo int, n int64, times int) {
	t.Helper()
	for k := range times {
		for i := range upTo {
			s.set(t, s.Members[i%3], i, n-int64(times-1-k))
		}
	}
}

// some are the records of schedule 6, and behind is how often they are written while a
// cache server does not hear of it.
const some = 30

func behind() int {
	if long {
		return 1000/some + 1
	}
	return 1
}

// TestSchedule6: cache servers come back with what they had a while ago, and the copy of
// one takes its place that has heard nothing for a while. Nobody is shown what they have,
// not by a server either that begins anew.
func TestSchedule6(t *testing.T) {
	s := newStage(t, target.ClusterOptions{})
	for n := int64(1); n < 3; n++ {
		s.rewrite(t, some, 1000*n, 1)
		s.warm(t, some, 1000*n)
		var dumps [][]byte
		for _, r := range s.Caches {
			dump, err := r.Save(t.Context())
			must(t, err)
			dumps = append(dumps, dump)
		}
		s.rewrite(t, some, 1000*n+500, behind())
		s.warm(t, some, 1000*n+500)
		for i, r := range s.Caches {
			must(t, r.Restore(t.Context(), dumps[i]))
		}
		s.anew(t, s.Members[0], 1000*n+500)
	}
	s.promoteCopy(t)
}

// promoteCopy has a copy take the place of a cache server, behind by many writes.
func (s *stage) promoteCopy(t *testing.T) {
	t.Helper()
	first := s.Caches[0]
	heir, link := follower(t, first)
	s.rewrite(t, some, 3000, 1)
	s.warm(t, some, 3000)
	same := func() bool {
		a, err := first.Exec(t.Context(), "DBSIZE")
		must(t, err)
		b, err := heir.Exec(t.Context(), "DBSIZE")
		must(t, err)
		return a == b && a != "0"
	}
	soon(t, "the copy has what the first one has", same)
	link.Silence()
	s.rewrite(t, some, 3500, behind())
	s.warm(t, some, 3500)
	must(t, first.Kill())
	_, err := heir.Exec(t.Context(), "REPLICAOF", "NO", "ONE")
	must(t, err)
	for _, m := range s.Members {
		m.ToCache[0].Target(heir.Addr())
	}
	s.anew(t, s.Members[0], 3500)
	s.rewrite(t, some, 4000, 1)
	s.warm(t, some, 4000)
}

// anew has a member begin anew and find, in what cache servers have, something of before.
func (s *stage) anew(t *testing.T, m *target.Member, want int64) {
	t.Helper()
	m.Kill()
	must(t, m.Restart(t.Context()))
	s.ready(t)
	s.warm(t, some, want)
	stale, err := m.Sum(t.Context(), "pando_cache_tier_rejected_total", "cause", "stale")
	must(t, err)
	if stale == 0 {
		t.Error("no cache server has anything of before")
	}
}

// follower is a copy of a cache server, and the way by which it hears of what is put there.
func follower(t *testing.T, of *localcluster.Redis) (*localcluster.Redis, *localcluster.Relay) {
	t.Helper()
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{})[0]
	link, err := of.Relay()
	must(t, err)
	t.Cleanup(link.Close)
	_, err = of.Exec(t.Context(), "CONFIG", "SET", "repl-diskless-sync-delay", "0")
	must(t, err)
	host, port, err := net.SplitHostPort(link.Addr())
	must(t, err)
	_, err = r.Exec(t.Context(), "REPLICAOF", host, port)
	must(t, err)
	soon(t, "the copy follows", func() bool {
		role, err := r.Exec(t.Context(), "ROLE")
		return err == nil && strings.Contains(role, "connected")
	})
	return r, link
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
