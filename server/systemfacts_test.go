package server_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
)

// told is GET /api/system, by the names that clients see.
type told map[string]any

func systemOf(t *testing.T, r *running, token string) told {
	t.Helper()
	status, facts := call(t, "GET", r.info.URL+"/api/system", token, nil)
	if status != 200 {
		t.Fatalf("GET /api/system: %d %v", status, facts)
	}
	return facts
}

// at is what lies under names, one below the other; nil if there is no such thing.
func (f told) at(names ...string) any {
	var v any = map[string]any(f)
	for _, name := range names {
		of, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = of[name]
	}
	return v
}

// number is -1 where there is none.
func (f told) number(names ...string) float64 {
	if n, ok := f.at(names...).(float64); ok {
		return n
	}
	return -1
}

// list is of things that have names themselves.
func (f told) list(names ...string) (list []told) {
	all, _ := f.at(names...).([]any)
	for _, v := range all {
		of, _ := v.(map[string]any)
		list = append(list, of)
	}
	return list
}

// of is the collection's part of what is told of the cache; nil if there is none.
func (f told) of(collection string) told {
	for _, c := range f.list("cache", "collections") {
		if c["id"] == collection {
			return c
		}
	}
	return nil
}

// idOf is a collection's id.
func idOf(t *testing.T, r *running, token, name string) string {
	t.Helper()
	_, answer := call(t, "GET", r.info.URL+"/api/collections/"+name, token, nil)
	id, _ := answer["id"].(string)
	return id
}

// TestSystemTellsOfTheCache: superusers see what the cache of one server has done, by
// collection, and what was read again. There is nothing of cache servers, or of others.
func TestSystemTellsOfTheCache(t *testing.T) {
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.ShadowReads = 1
	r := start(t, cfg)
	token := superuser(t, cfg.Dir, r.info.URL)
	posts(t, r.info.URL, token)
	id := idOf(t, r, token, "posts")
	_, created := call(t, "POST", r.info.URL+"/api/collections/posts/records", "", map[string]string{"title": "a"})
	const n = 256 // of which one in 64 is looked at
	for range n {
		call(t, "GET", fmt.Sprint(r.info.URL, "/api/collections/posts/records/", created["id"]), "", nil)
	}
	var f told
	soonTrue(t, "answers are read again", func() bool {
		f = systemOf(t, r, token)
		return f.number("cache", "shadowReads", "checks") > 0
	})
	if hits, fills := f.number("cache", "memory", "hits"), f.number("cache", "memory", "fills"); hits < n-1 || fills < 1 {
		t.Errorf("of %d reads: %v", n, f.at("cache", "memory"))
	}
	for _, name := range []string{"tier", "shared", "stale"} {
		if f.number("cache", "memory", name) < 0 {
			t.Errorf("%s is not there: %v", name, f.at("cache", "memory"))
		}
	}
	if c := f.of(id); c.number("memory") < n-64 || c.number("fills") < 1 || c.at("keptOut") != false {
		t.Errorf("of posts: %v", c)
	}
	shadows := f.at("cache", "shadowReads")
	if checks := f.number("cache", "shadowReads", "checks"); f.number("cache", "shadowReads", "violations") != 0 ||
		f.number("cache", "shadowReads", "bound") != min(1, 3/checks) ||
		f.number("cache", "shadowReads", "moved") < 0 || f.number("cache", "shadowReads", "skipped") < 0 {
		t.Errorf("of what was read again: %v", shadows)
	}
	for _, names := range [][]string{{"cluster"}, {"cache", "servers"}, {"cache", "rejected"}} {
		if v := f.at(names...); v != nil {
			t.Errorf("%v: %v", names, v)
		}
	}
	if status, _ := call(t, "GET", r.info.URL+"/api/system", "", nil); status != 401 {
		t.Errorf("a guest is answered %d", status)
	}
}

// turnRound gives each key of a cache server, claims aside, what lies under the one before.
const turnRound = `
	local keys, last = {}, nil
	for _, k in ipairs(redis.call('KEYS', '*')) do
		if k:sub(-1) ~= '+' then keys[#keys + 1] = k end
	end
	for i, k in ipairs(keys) do
		local had = redis.call('GET', k)
		redis.call('SET', k, last or redis.call('GET', keys[#keys]))
		last = had
	end`

// TestSystemTellsOfTheCluster: how far each server is and for how long it may believe it,
// and what of the cache servers' was not used, and why.
func TestSystemTellsOfTheCluster(t *testing.T) {
	_, url := localclustertest.Database(t)
	tier := localclustertest.Redis(t, 1, localcluster.RedisOptions{})[0]
	files := "file://" + t.TempDir()
	var web []*running
	for range 2 {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Cache, cfg.Direct = url, testSecret, files, tier.URL(), true
		cfg.Advertise, cfg.Log = "127.0.0.1:0", slog.New(slog.NewTextHandler(t.Output(), nil))
		web = append(web, start(t, cfg))
	}
	a, b := web[0], web[1]
	token := superuserOf(t, server.Place{Dir: t.TempDir(), Database: url, Blob: files}, a.info.URL)
	posts(t, a.info.URL, token)
	id := idOf(t, a, token, "posts")

	// Leases, by what each server says and by what the one says that reads the log.
	leased := func(v float64) bool { return v > 0 && v <= 500 }
	soonTrue(t, "both have a lease and lack nothing, and both say so of both", func() bool {
		followers := 0
		for _, w := range web {
			f := systemOf(t, w, token)
			if !leased(f.number("cluster", "leaseMs")) || f.number("cluster", "lagMs") != 0 || f.number("cluster", "lagBytes") != 0 {
				return false
			}
			n := 0
			for _, node := range f.list("nodes") {
				if node["role"] == "web" && leased(node.number("leaseMs")) && node.number("lagMs") == 0 && node.number("lagBytes") == 0 && node["position"] != "" {
					n++
				}
			}
			if n != 2 {
				return false
			}
			for _, p := range f.list("cluster", "followers") {
				if v := p.number("leaseMs"); v > 0 && v <= 550 && p["counted"] == true && p["frontier"] != "" {
					followers++
				}
			}
		}
		return followers == 2 // one of them reads the log, for itself too
	})
	for _, w := range web {
		f := systemOf(t, w, token)
		for _, name := range []string{"server", "tailer", "frontier", "safe", "base"} {
			if v, _ := f.at("cluster", name).(string); v == "" {
				t.Errorf("the cluster's %s is not told: %v", name, f.at("cluster"))
			}
		}
		if n := len(f.list("cluster", "members")); n != 2 {
			t.Errorf("%d members", n)
		}
	}

	// Somebody puts answers on the cache server under each other's keys. Nobody is answered
	// anything else for it.
	for i := range 5 {
		call(t, "POST", a.info.URL+"/api/collections/posts/records", "", map[string]string{"title": fmt.Sprint("post ", i)})
	}
	try := 0
	puts := func() float64 { return systemOf(t, a, token).list("cache", "servers")[0].number("puts") }
	soonTrue(t, "what is forged is seen", func() bool {
		try++
		each := func(w *running) (all []string) {
			for i := range 5 {
				status, answer := call(t, "GET", fmt.Sprint(w.info.URL, "/api/collections/posts/records?sort=title&perPage=1&fields=id,title,x", try, "&page=", i+1), "", nil)
				all = append(all, fmt.Sprint(status, answer))
			}
			return all
		}
		before := puts()
		answered := each(a)
		if len(slices.Compact(slices.Sorted(slices.Values(answered)))) != 5 {
			t.Fatalf("they are all to be different: %q", answered)
		}
		for end := time.Now().Add(time.Second); puts() < before+5 && time.Now().Before(end); {
		}
		if _, err := tier.Exec(t.Context(), "EVAL", turnRound, "0"); err != nil {
			t.Fatal(err)
		}
		if got := each(b); !slices.Equal(got, answered) {
			t.Errorf("with forged answers on the cache server: %q, and before: %q", got, answered)
		}
		return systemOf(t, b, token).number("cache", "rejected", "forged") > 0
	})

	// What changes too often is kept out.
	_, created := call(t, "POST", a.info.URL+"/api/collections/posts/records", "", map[string]string{"title": "a"})
	before := systemOf(t, a, token)
	if c := before.of(id); c.at("keptOut") != false {
		t.Errorf("it is kept out from the first: %v", c)
	}
	soonTrue(t, "a collection that changes all the time is kept out of the cache server", func() bool {
		try++
		if status, answer := call(t, "PATCH", fmt.Sprint(a.info.URL, "/api/collections/posts/records/", created["id"]), "", map[string]string{"title": fmt.Sprint(try)}); status != 200 {
			t.Fatalf("update: %d %v", status, answer)
		}
		for i := range 50 {
			call(t, "GET", fmt.Sprint(a.info.URL, "/api/collections/posts/records?fields=id,y", i), "", nil)
		}
		return systemOf(t, a, token).of(id).at("keptOut") == true
	})
	f := systemOf(t, a, token)
	sum := 0.0
	for _, c := range f.list("cache", "collections") {
		sum += c.number("stale")
		for _, name := range []string{"hits", "misses", "awaited"} {
			if c.number(name) < 0 {
				t.Errorf("%s is not there: %v", name, c)
			}
		}
	}
	if stale := f.number("cache", "rejected", "stale"); stale < 500 || stale != sum || f.number("cache", "rejected", "epoch") != 0 || f.number("cache", "rejected", "foreign") != 0 {
		t.Errorf("rejected: %v; %v were stale by collection", f.at("cache", "rejected"), sum)
	}
	servers := f.list("cache", "servers")
	if len(servers) != 1 || servers[0]["name"] != tier.Addr() || servers[0].number("puts") < 100 || servers[0]["state"] == "" {
		t.Errorf("cache servers: %v", servers)
	}
}
