package cluster

import (
	"net/http"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

const door = "/api/collections/door/records/key000000000000"

// doorOf makes a collection with one record, which guests may see.
func (s *stage) doorOf(t *testing.T, m *target.Member) {
	t.Helper()
	s.must(t, m, "POST", "/api/collections", object{"name": "door", "type": "base", "viewRule": ""}, nil)
	s.must(t, m, "POST", "/api/collections/door/records", object{"id": keyID(0)}, nil)
}

// TestRulesAreChangedAtOnce: a rule is changed while a server is frozen, for less than a
// lease. Who is answered by the new rule, though it reads nothing, is answered when nobody
// goes by the old one any more.
func TestRulesAreChangedAtOnce(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: none})
	tailer, others := s.tailer(t)
	frozen, web := others[0], others[1]
	s.doorOf(t, web)
	for range 5 {
		s.must(t, frozen, "GET", door, nil, nil)
		must(t, frozen.Freeze())
		closed := make(chan answer, 1)
		go func() {
			closed <- s.ask(t.Context(), tailer, "PATCH", "/api/collections/door", "", object{"viewRule": nil})
		}()
		soon(t, "the door is found closed", func() bool {
			return s.ask(t.Context(), web, "GET", door, "", nil).status == http.StatusForbidden
		})
		must(t, frozen.Thaw())
		if a := s.ask(t.Context(), frozen, "GET", door, "", nil); a.status == http.StatusOK && !a.old {
			t.Fatalf("the door was found closed at %s, and then open at %s: %v", web.Name, frozen.Name, a)
		}
		if a := <-closed; a.status != http.StatusOK {
			t.Fatalf("the change: %v", a)
		}
		s.must(t, web, "PATCH", "/api/collections/door", object{"viewRule": ""}, nil)
	}
}

// TestRulesThatAFailoverHasLost: the rule that a replica has not received is gone when
// that is promoted, on every server, and they go on.
func TestRulesThatAFailoverHasLost(t *testing.T) {
	s := newStage(t, target.ClusterOptions{Replicas: 1, Caches: none})
	web := s.Members[0]
	s.doorOf(t, web)
	must(t, s.WaitReplayed(t.Context()))
	s.Link(1).Down()
	s.must(t, web, "PATCH", "/api/collections/door", object{"viewRule": nil}, nil)
	for _, m := range s.Members {
		if a := s.ask(t.Context(), m, "GET", door, "", nil); a.status != http.StatusForbidden {
			t.Fatalf("%s: %v", m.Name, a)
		}
	}
	must(t, s.Primary().Kill())
	must(t, s.Promote(t.Context(), 1))
	s.written(t)
	for _, m := range s.Members {
		soon(t, m.Name+" goes by the rule of the new primary", func() bool {
			a := s.ask(t.Context(), m, "GET", door, "", nil)
			return a.status == http.StatusOK && !a.old
		})
	}
	began := time.Now()
	s.must(t, s.Members[1], "PATCH", "/api/collections/door", object{"viewRule": nil}, nil)
	for _, m := range s.Members {
		if a := s.ask(t.Context(), m, "GET", door, "", nil); a.status != http.StatusForbidden {
			t.Errorf("%s, %v after it was closed again: %v", m.Name, time.Since(began), a)
		}
	}
}
