package members

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/test/target"
)

// second is the goal for what load balancers notice. On whatever machine it may take
// longer; what does not work takes ten of them, or for ever.
func second() time.Duration {
	if prove {
		return time.Second
	}
	return 3 * time.Second
}

// TestMembers: three servers that only load balancers reach, one of which asks members
// who there is, and one the database.
func TestMembers(t *testing.T) {
	s := newStage(t)
	link, err := localcluster.NewRelay(s.Primary().Addr())
	must(t, err)
	t.Cleanup(link.Close)
	byTable := s.StartBalancer(t, "--database", link.URL(s.Database, "postgres"))
	lbs := []*target.Server{s.lb, byTable}
	s.all(t, lbs...)
	t.Run("direct clients are refused", s.directClients)
	t.Run("forged addresses are ignored", s.forgedAddresses)
	t.Run("one that joins is found within a second", func(t *testing.T) { s.joins(t, lbs) })
	t.Run("pando node", func(st *testing.T) { s.nodes(st, t, lbs) })
	t.Run("without the database nothing is forgotten", func(t *testing.T) { s.databaseGone(t, lbs, link) })
	t.Run("a load balancer whose guides are gone", func(t *testing.T) { s.guidesGone(t, lbs) })
}

// directClients: a client of a member gets 421, at its address for clients and at the
// private one; health checks of the machine are answered.
func (s *stage) directClients(t *testing.T) {
	m := s.Members[0]
	for path, want := range map[string]int{"/api/health": 421, notes: 421, "/": 421, "/livez": 200, "/readyz": 200} {
		status, body, err := s.ask(t.Context(), m.Server, "GET", path, nil)
		if err != nil || status != want {
			t.Errorf("GET %s: %d %s, %v; want %d", path, status, body, err, want)
		}
		if status == 421 && !strings.Contains(string(body), "load balancer") {
			t.Errorf("GET %s says %s", path, body)
		}
	}
	private := &target.Server{URL: "http://" + m.Private}
	if status, body, err := s.ask(t.Context(), private, "GET", "/api/health", nil); err != nil || status != 421 {
		t.Errorf("at the private address: %d %s, %v", status, body, err)
	}
	private.URL = "https://" + m.Private
	if status, body, err := s.ask(t.Context(), private, "GET", "/api/health", nil); err == nil {
		t.Errorf("at the private address with TLS: %d %s", status, body)
	}
}

// forgedAddresses: whatever a client says of where it comes from, it comes from where
// it does. What members and load balancers tell each other reaches no client.
func (s *stage) forgedAddresses(t *testing.T) {
	for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Client-IP", "X_Forwarded_For"} {
		value := "198.51.100.7"
		if header == "Forwarded" {
			value = "for=198.51.100.7"
		}
		_, body, err := s.ask(t.Context(), s.lb, "GET", "/api/health", nil, "Authorization", s.root, header, value)
		var health struct{ Data struct{ RealIP string } }
		if err := json.Unmarshal(body, &health); err != nil {
			t.Errorf("%s: %v in %s", header, err, body)
		}
		if err != nil || health.Data.RealIP != "127.0.0.1" {
			t.Errorf("%s: the client is %q, %v", header, health.Data.RealIP, err)
		}
	}
	res, err := s.http.Get(s.lb.URL + "/api/health")
	must(t, err)
	must(t, res.Body.Close())
	if load := res.Header.Get("X-Pando-Load"); load != "" {
		t.Errorf("a client is told the load, %s", load)
	}
	for _, path := range []string{"/members", "/members?wait=1"} {
		if status, body, err := s.ask(t.Context(), s.lb, "GET", path, nil, "Authorization", s.root); err != nil || status != http.StatusNotFound {
			t.Errorf("%s: %d %s, %v", path, status, body, err)
		}
	}
}

// joins: from its first word in the database to its first request.
func (s *stage) joins(t *testing.T, lbs []*target.Server) {
	m := s.Add(t.Context(), t)
	ready := time.Now()
	for i, lb := range lbs {
		within(t, second(), "requests go to the new member", func() bool { return takesPart(s.upstreams(t, lb)[m.Private]) })
		t.Logf("load balancer %d sends requests %s after it was ready", i+1, time.Since(ready).Round(time.Millisecond))
	}
	m.Stop()
	for _, lb := range lbs {
		within(t, second(), "the member that left is forgotten", func() bool { return s.upstreams(t, lb)[m.Private] == "" })
	}
	s.Members = s.Members[:len(s.Members)-1]
}

// nodes: what an operator sees and does.
func (s *stage) nodes(t, whole *testing.T, lbs []*target.Server) {
	m := s.Members[2]
	state := func() (state string) {
		var list []struct{ Address, State string }
		must(t, json.Unmarshal([]byte(s.pando(t, "node", "list", "--json")), &list))
		for _, n := range list {
			if n.Address == m.Private {
				state = n.State
			}
		}
		return state
	}
	if got := state(); got != "up" {
		t.Errorf("it is %q", got)
	}
	s.pando(t, "node", "drain", m.Private)
	for _, lb := range lbs {
		within(t, second(), "it is drained", func() bool { return s.upstreams(t, lb)[m.Private] == "draining" })
	}
	s.pando(t, "node", "drain", m.Private, "--undo")
	s.all(t, lbs...)
	if out, err := s.Pando(t.Context(), "node", "remove", m.Private, "--database", s.URL(s.Database, "postgres")); err == nil || !strings.Contains(out, "alive") {
		t.Errorf("one that is alive is removed: %s", out)
	}
	// One that is gone without a word stays in the table, and is taken out by hand.
	m.Kill()
	if got := state(); got != "silent" {
		t.Errorf("it is %q", got)
	}
	s.pando(t, "node", "remove", m.Private)
	if rows, err := s.SQL(t.Context(), "SELECT count(*) FROM _pando_members"); err != nil || rows != "2" {
		t.Errorf("%s rows are left, %v", rows, err)
	}
	_, err := m.Again(t.Context(), whole)
	must(t, err)
	s.all(t, lbs...)
}

// guidesGone: of the addresses that a load balancer was started with none is left, and
// it finds new members by those that it has found.
func (s *stage) guidesGone(t *testing.T, lbs []*target.Server) {
	var fresh []*target.Member
	for range 2 {
		fresh = append(fresh, s.Add(t.Context(), t))
	}
	s.all(t, lbs...)
	for _, m := range s.Members[:3] {
		m.Stop()
	}
	s.Members = fresh
	s.all(t, lbs...)
	m := s.Add(t.Context(), t)
	within(t, second(), "a member that those know who were found", func() bool { return takesPart(s.upstreams(t, s.lb)[m.Private]) })
}
