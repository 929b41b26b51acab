package server_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/system"
	"github.com/pandobase/pando/server"
)

// by are the nodes of a role.
func by(s server.System, role system.Role) (list []server.SystemNode) {
	for _, n := range s.Nodes {
		if n.Role == role {
			list = append(list, n)
		}
	}
	return list
}

// TestSystemAlone: one server is a whole system: what it has done lately, and its
// database inside. From outside it takes a superuser's token.
func TestSystemAlone(t *testing.T) {
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.Version = "1.2.3"
	r := start(t, cfg)
	token := superuser(t, cfg.Dir, r.info.URL)
	posts(t, r.info.URL, token)
	soonTrue(t, "there is a rate", func() bool {
		call(t, "GET", r.info.URL+"/api/collections/posts/records", "", nil)
		s, err := server.FetchSystem(t.Context(), "", r.info.AdminURL)
		if err != nil {
			t.Fatal(err)
		}
		n := s.Nodes[0]
		return n.Rate != nil && *n.Rate > 0 && n.P99 != nil && *n.P99 > 0 && n.Hits != nil && *n.Hits > 0.5
	})
	s, err := server.FetchSystem(t.Context(), token, r.info.URL)
	if err != nil {
		t.Fatal(err)
	}
	if s.Health != "ok" || s.Words != "healthy: 1 web server, 1 primary" {
		t.Errorf("%s, %s: %+v", s.Health, s.Words, s.Nodes)
	}
	web := s.Nodes[0]
	if web.Version != "1.2.3" || *web.Errors != 0 || "http://"+web.Address != r.info.URL || web.Position == "" || web.Position == "0" || !web.Told {
		t.Errorf("the web server: %+v", web)
	}
	if db := s.Nodes[1]; db.Name != "SQLite" || db.Lag != nil || db.Rate != nil || db.Told {
		t.Errorf("the database: %+v", db)
	}
	for name, try := range map[string][2]string{
		"no token":      {"", r.info.URL},
		"a wrong token": {"x.y.z", r.info.URL},
		"nobody there":  {"", "http://127.0.0.1:1"},
		"no address":    {"", "127.0.0.1:8091"},
	} {
		if _, err := server.FetchSystem(t.Context(), try[0], try[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	mixed, err := server.FetchSystem(t.Context(), "", r.info.AdminURL, "http://127.0.0.1:1")
	if err != nil || mixed.Health != "bad" || len(by(mixed, system.Web)) != 2 {
		t.Errorf("one of two does not answer: %+v, %v", mixed, err)
	}
}

// TestSystemCluster: a server tells of the whole cluster, and so does a load balancer
// before it; one that is gone is seen by both.
func TestSystemCluster(t *testing.T) {
	_, url := localclustertest.Database(t)
	caches := localclustertest.Redis(t, 2, localcluster.RedisOptions{})
	files := "file://" + t.TempDir()
	var web []*running
	for range 3 {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Advertise = url, testSecret, files, "127.0.0.1:0"
		cfg.Cache = caches[0].RedisURL(caches[0].Addr(), caches[1].Addr())
		cfg.Log = slog.New(slog.DiscardHandler)
		web = append(web, start(t, cfg))
	}
	_, balancer := balance(t, server.BalancerConfig{
		Listen: []string{"127.0.0.1:0"}, Admin: "127.0.0.1:0", Join: []string{web[0].info.Private}, ClusterSecret: testSecret,
	})
	look := func(address string) server.System {
		s, err := server.FetchSystem(t.Context(), "", address)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	told := func(s server.System) (n int) {
		for _, w := range by(s, system.Web) {
			if w.Told {
				n++
			}
		}
		return n
	}
	token := superuserOf(t, server.Place{Dir: t.TempDir(), Database: url, Blob: files}, balancer.URLs[0])
	posts(t, balancer.URLs[0], token)
	n := 0
	traffic := func() { // of answers that are in no cache yet
		for range 5 {
			n++
			res, err := http.Get(fmt.Sprintf("%s/api/collections/posts/records?page=%d", balancer.URLs[0], n))
			if err == nil { // whatever it says: the machine may be busy
				res.Body.Close()
			}
		}
	}
	var s server.System
	soonTrue(t, "a server tells of three", func() bool {
		s = look(web[1].info.AdminURL)
		return told(s) == 3 && len(by(s, system.Primary)) == 1 && len(by(s, system.Cache)) == 2
	})
	for _, n := range by(s, system.Web) {
		if n.Position == "" || n.Address == "" || n.ID == "" {
			t.Errorf("a web server: %+v", n)
		}
	}
	soonTrue(t, "one reads the log", func() bool {
		tailers := 0
		for _, n := range by(look(web[1].info.AdminURL), system.Web) {
			if strings.Contains(n.Words, "reads the database's log") {
				tailers++
			}
		}
		return tailers == 1
	})
	soonTrue(t, "the load balancer tells of three, and of itself", func() bool {
		s = look(balancer.AdminURL)
		return told(s) == 3 && len(by(s, system.LB)) == 1 && len(by(s, system.Web)) == 3 && len(by(s, system.Cache)) == 2
	})
	if n := by(s, system.LB)[0]; !n.Told || "http://"+n.Address != balancer.URLs[0] {
		t.Errorf("the load balancer: %+v", n)
	}

	if err := caches[1].Kill(); err != nil {
		t.Fatal(err)
	}
	soonTrue(t, "a cache server that is gone is seen", func() bool {
		traffic()
		s = look(web[0].info.AdminURL)
		gone := slices.IndexFunc(s.Nodes, func(n server.SystemNode) bool { return n.Name == caches[1].Addr() })
		// It is tried again now and then, and said to be.
		return gone >= 0 && s.Nodes[gone].Health == "bad" && s.Health == "bad"
	})
}

// TestSystemOfSilent: a member that is registered and does not answer is not well.
func TestSystemOfSilent(t *testing.T) {
	_, url := localclustertest.Database(t)
	files := "file://" + t.TempDir()
	member := func() *running {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Advertise = url, testSecret, files, "127.0.0.1:0"
		cfg.Log = slog.New(slog.DiscardHandler)
		return start(t, cfg)
	}
	a, b := member(), member()
	look := func() (web []server.SystemNode) {
		s, err := server.FetchSystem(t.Context(), "", a.info.AdminURL)
		if err != nil {
			t.Fatal(err)
		}
		return by(s, system.Web)
	}
	soonTrue(t, "there are two", func() bool { return len(look()) == 2 })
	if err := server.CloseDoor(b.server); err != nil { // it goes on, and cannot be reached
		t.Fatal(err)
	}
	soonTrue(t, "it is said", func() bool {
		web := look()
		if len(web) != 2 {
			return false
		}
		n := web[0]
		if n.Told {
			n = web[1]
		}
		return n.Health == "bad" && n.Address == b.info.Private && strings.Contains(n.Words, "does not answer")
	})
}
