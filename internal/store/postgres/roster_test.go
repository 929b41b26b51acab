package postgres

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/doctor"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/registry"
)

// rosterOf opens a roster and closes it at the end.
func rosterOf(t *testing.T, url string) *Roster {
	t.Helper()
	r, err := OpenRoster(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// TestRoster: rows are read, marked and removed beside the servers.
func TestRoster(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	reg, ctx := s.Registry(), t.Context()
	r := rosterOf(t, s.opts.URL)
	a := registry.Member{ID: "a", Boot: "1", Address: "10.0.0.1:7000", Version: "0.4.0", Format: 1}
	members := func(want ...registry.Member) {
		t.Helper()
		got, err := r.Members(ctx)
		for i := range got {
			if got[i].Age < 0 || got[i].Age > time.Minute {
				t.Errorf("%s joined %s ago", got[i].ID, got[i].Age)
			}
			got[i].Age = 0
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	members()
	if err := reg.Join(ctx, a); err != nil {
		t.Fatal(err)
	}
	members(a)
	if ok, err := reg.Beat(ctx, registry.Member{ID: "a", Boot: "1", Load: 0.25}); !ok || err != nil {
		t.Errorf("beat: %v, %v", ok, err)
	}
	seen := a
	a.Beat, a.Load = 1, 0.25
	members(a)
	if ok, err := r.Drain(ctx, "a", true); !ok || err != nil {
		t.Errorf("drain: %v, %v", ok, err)
	}
	a.Draining = true
	members(a)
	if ok, err := reg.Drain(ctx, "a", false); !ok || err != nil {
		t.Errorf("the server itself: %v, %v", ok, err)
	}
	a.Draining = false
	members(a)
	if ok, err := r.Drain(ctx, "b", true); ok || err != nil {
		t.Errorf("drain one that is not there: %v, %v", ok, err)
	}
	if ok, err := r.Remove(ctx, seen); ok || err != nil { // it has beaten since
		t.Errorf("remove one that lives: %v, %v", ok, err)
	}
	if ok, err := r.Remove(ctx, a); !ok || err != nil {
		t.Errorf("remove: %v, %v", ok, err)
	}
	members()
}

// TestRosterRole: what the doctor prints is enough to read the rows, and for nothing
// else.
func TestRosterRole(t *testing.T) {
	s, _ := fresh(t, Options{OneShot: true})
	ctx := t.Context()
	if err := s.Registry().Join(ctx, registry.Member{ID: "a", Boot: "1", Address: "a:1"}); err != nil {
		t.Fatal(err)
	}
	hosts, err := Examine(ctx, s.opts.URL)
	if err != nil {
		t.Fatal(err)
	}
	grants := ""
	for _, c := range doctor.CheckDatabase(hosts) {
		if strings.Contains(c.Found, "pando lb") {
			grants = c.Fix
		}
	}
	create, rest, ok := strings.Cut(grants, "; ")
	if !ok || !strings.HasPrefix(create, "CREATE ROLE pando_lb LOGIN PASSWORD") {
		t.Fatalf("the doctor prints %q", grants)
	}
	pg, _ := localclustertest.Database(t) // the same server, shared by all tests
	role := "lb_of_" + strings.ToLower(t.Name())
	rest = strings.ReplaceAll(rest, "pando_lb", role)
	u, err := url.Parse(s.opts.URL)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	if _, err := pg.ExecIn(ctx, database, "CREATE ROLE "+role+" LOGIN"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := pg.ExecIn(context.Background(), database, "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	if _, err := pg.ExecIn(ctx, database, "REVOKE ALL ON DATABASE "+database+" FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC"); err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	r := rosterOf(t, u.String())
	if _, err := r.Members(ctx); err == nil || !strings.Contains(err.Error(), "pando doctor") {
		t.Errorf("without any right: %v", err)
	}
	if _, err := pg.ExecIn(ctx, database, rest); err != nil {
		t.Fatal(err)
	}
	list, err := r.Members(ctx)
	if err != nil || len(list) != 1 || list[0].ID != "a" {
		t.Errorf("with the printed rights: %+v, %v", list, err)
	}
	if ok, err := r.Drain(ctx, "a", true); err == nil {
		t.Errorf("it may mark a server: %v", ok)
	}
	if ok, err := r.Remove(ctx, list[0]); err == nil {
		t.Errorf("it may remove a server: %v", ok)
	}
}

// TestRosterHosts: whichever hosts are there, in any order; a replica if there is no
// primary, and who was gone is asked again.
func TestRosterHosts(t *testing.T) {
	c := localclustertest.Replicated(t, 1, localcluster.ReplicatedOptions{})
	s := open(t, Options{URL: c.URL("postgres", "postgres"), OneShot: true})
	ctx := t.Context()
	if err := s.Registry().Join(ctx, registry.Member{ID: "a", Boot: "1", Address: "a:1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReplayed(ctx); err != nil {
		t.Fatal(err)
	}
	hosts := c.Nodes()
	u, err := url.Parse(hosts[1].URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = "127.0.0.1:1," + hosts[1].Addr() + "," + hosts[0].Addr()
	r := rosterOf(t, u.String())
	one := func(what string) {
		t.Helper()
		list, err := r.Members(ctx)
		if err != nil || len(list) != 1 {
			t.Errorf("%s: %+v, %v", what, list, err)
		}
	}
	one("all are there")
	if ok, err := r.Drain(ctx, "a", true); !ok || err != nil {
		t.Errorf("mark: %v, %v", ok, err)
	}
	if err := c.Primary().Kill(); err != nil {
		t.Fatal(err)
	}
	one("the primary is gone")
	if _, err := r.Drain(ctx, "a", false); err == nil {
		t.Error("marked without a primary")
	}
	if err := hosts[1].Promote(ctx); err != nil {
		t.Fatal(err)
	}
	limit, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if ok, err := r.Drain(limit, "a", false); ok {
			break
		} else if limit.Err() != nil {
			t.Fatalf("after the failover: %v", err)
		}
	}
	one("after the failover")
}
