package server_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
)

const testSecret = "0123456789-shared-by-all"

// TestTierRefused: what --cache needs is said.
func TestTierRefused(t *testing.T) {
	whole := func() server.Config {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Cache = "postgres://db/app", testSecret, "redis://:secret@c1"
		return cfg
	}
	if err := whole().Check(); err != nil {
		t.Errorf("a whole configuration: %v", err)
	}
	for want, damage := range map[string]func(*server.Config){
		"needs the cluster's secret": func(c *server.Config) { c.ClusterSecret = "" },
		"on SQLite":                  func(c *server.Config) { c.Database = "" },
		"neither with redis://":      func(c *server.Config) { c.Cache = "c1:6379" },
		"too short":                  func(c *server.Config) { c.CacheTTL = time.Second },
		"--cache-size off":           func(c *server.Config) { c.CacheSize = -1 },
	} {
		cfg := whole()
		damage(&cfg)
		if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
	if got := server.MaskCache("redis://u:secret@c1,c2?names=a,b"); got != "redis://u:xxxxx@c1,c2?names=a,b" {
		t.Errorf("people see %s", got)
	}
}

// TestTier: three servers of a cluster and three cache servers. What one filled,
// another serves; each answer holds the writes that were answered before, also while a
// cache server is killed, one is frozen, one is added by a reload, and another removed.
func TestTier(t *testing.T) {
	_, url := localclustertest.Database(t)
	caches := localclustertest.Redis(t, 4, localcluster.RedisOptions{})
	address := func(servers ...*localcluster.Redis) string {
		var addrs []string
		for _, r := range servers {
			addrs = append(addrs, r.Addr())
		}
		return caches[0].RedisURL(addrs...)
	}
	files := "file://" + t.TempDir()
	var web []*running
	var cfgs []server.Config
	for range 3 {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Cache, cfg.ShadowReads = url, testSecret, address(caches[:3]...), 10
		cfg.Direct = true
		cfg.ReadWait = 20 * time.Second // the machine of the test may be busy
		cfg.Blob, cfg.Log = files, slog.New(slog.NewTextHandler(t.Output(), nil))
		cfgs = append(cfgs, cfg)
		web = append(web, start(t, cfg))
	}
	token := superuserOf(t, server.Place{Dir: cfgs[0].Dir, Database: url}, web[0].info.URL)
	posts(t, web[0].info.URL, token)
	quiet := unchanging(t, web, token)
	const n = 30
	var ids [n]string
	for i := range n {
		status, answer := call(t, "POST", web[i%3].info.URL+"/api/collections/posts/records", "", map[string]string{"title": "0"})
		if status != 200 {
			t.Fatalf("create: %d %v", status, answer)
		}
		ids[i], _ = answer["id"].(string)
	}
	record := func(i int) string { return "/api/collections/posts/records/" + ids[i%n] }

	// Each server reads what the one before has filled. A cache server that takes long to
	// answer is left out for a while, which happens on a busy machine: then others are read.
	hits := func() float64 { return metric(t, web[2], `pando_cache_collection_total{.*result="hit"`) }
	stored := func() float64 { return metric(t, web[0], `pando_cache_server_puts_total{.*result="stored"`) }
	try := 0
	soonTrue(t, "the third server finds what the first has filled", func() bool {
		try++
		had, put := hits(), stored()
		for _, w := range web {
			for i := range n {
				status, answer := call(t, "GET", w.info.URL+record(i)+fmt.Sprint("?fields=title,x", try), "", nil)
				if status != 200 || answer["title"] != "0" {
					t.Fatalf("view: %d %v", status, answer)
				}
			}
			for end := time.Now().Add(time.Second); stored() < put+n/2 && time.Now().Before(end); time.Sleep(time.Millisecond) {
			}
		}
		return hits() >= had+n/2
	})

	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				i := g + 3*(k%(n/3)) // each writer has records of its own
				title := fmt.Sprint(k)
				if status, answer := call(t, "PATCH", web[(g+k)%3].info.URL+record(i), "", map[string]string{"title": title}); status != 200 {
					t.Errorf("write: %d %v", status, answer)
				}
				for j := range web {
					if status, answer := call(t, "GET", web[j].info.URL+record(i), "", nil); status != 200 || answer["title"] != title {
						t.Errorf("server %d: %d %v, want %s", j, status, answer, title)
					}
					call(t, "GET", web[j].info.URL+record(i+3*k), "", nil)
				}
			}
		})
	}
	reload := func(servers ...*localcluster.Redis) error {
		for i, w := range web {
			cfg := cfgs[i]
			cfg.Cache = address(servers...)
			if err := w.server.Reload(cfg); err != nil {
				return err
			}
		}
		return nil
	}
	weather := []func() error{
		caches[0].Kill,
		func() error { return caches[0].Start(t.Context()) },
		caches[1].Freeze,
		caches[1].Thaw,
		func() error { return reload(caches...) },
		func() error { return caches[2].Wipe(t.Context()) },
	}
	for _, change := range weather {
		before := metric(t, web[1], `pando_cache_collection_total`)
		if err := change(); err != nil {
			t.Fatal(err)
		}
		soonTrue(t, "reads go on", func() bool { return metric(t, web[1], `pando_cache_collection_total`) > before+50 })
	}
	soonTrue(t, "the fourth cache server is used", func() bool {
		return metric(t, web[0], `pando_cache_server_requests_total{.*result="hit",server="`+regexp.QuoteMeta(caches[3].Addr())) > 0
	})
	// Its share is a quarter, give or take what the dice of 200 keys do.
	soonTrue(t, "one of the four goes, and a quarter of the keys with it", func() bool {
		moved := quiet.missing(t, func() error { return reload(caches...) }, func() error { return reload(caches[0], caches[2], caches[3]) })
		t.Logf("%d of %d keys moved", moved, quietKeys)
		return moved > quietKeys/4-quietKeys/10 && moved < quietKeys/4+quietKeys/10
	})
	if err := caches[1].Kill(); err != nil {
		t.Fatal(err)
	}
	before := metric(t, web[1], `pando_cache_collection_total`)
	soonTrue(t, "reads go on without it", func() bool { return metric(t, web[1], `pando_cache_collection_total`) > before+50 })
	close(stop)
	wg.Wait()
	for i, w := range web {
		if v := metric(t, w, `pando_shadow_violations_total`); v != 0 {
			t.Errorf("server %d: %v violations", i, v)
		}
	}
	t.Logf("%v shadow reads", metric(t, web[0], `pando_shadow_reads_total`))
}

// unchanged is a record that nobody writes, of a collection that is counted apart.
type unchanged struct {
	web          []*running
	path, counts string
	tries        int
}

// quietKeys is how many answers are made of it at a time, each of another key.
const quietKeys = 200

func unchanging(t *testing.T, web []*running, token string) *unchanged {
	t.Helper()
	status, made := call(t, "POST", web[0].info.URL+"/api/collections", token, map[string]any{"name": "unchanged", "viewRule": ""})
	if status != 200 {
		t.Fatalf("create collection: %d %v", status, made)
	}
	status, record := call(t, "POST", web[0].info.URL+"/api/collections/unchanged/records", token, map[string]any{})
	if status != 200 {
		t.Fatalf("create: %d %v", status, record)
	}
	return &unchanged{
		web: web, path: fmt.Sprintf("/api/collections/unchanged/records/%s", record["id"]),
		counts: fmt.Sprintf(`pando_cache_collection_total{collection="%s",result="hit"`, made["id"]),
	}
}

// missing is how many answers the third server does not find on the cache servers after a
// change, of those that the first and the second have put there before.
func (u *unchanged) missing(t *testing.T, before, after func() error) int {
	t.Helper()
	u.tries++
	read := func(w *running) (hits int) {
		had := metric(t, w, u.counts)
		for i := range quietKeys {
			if status, answer := call(t, "GET", w.info.URL+u.path+fmt.Sprintf("?fields=id,x%d_%d", u.tries, i), "", nil); status != 200 {
				t.Fatalf("view: %d %v", status, answer)
			}
		}
		return int(metric(t, w, u.counts) - had)
	}
	if err := before(); err != nil {
		t.Fatal(err)
	}
	read(u.web[0])
	read(u.web[1]) // puts what has not come there yet
	if err := after(); err != nil {
		t.Fatal(err)
	}
	return quietKeys - read(u.web[2])
}

// metric is the sum of the metrics whose lines begin so.
func metric(t *testing.T, r *running, pattern string) (sum float64) {
	t.Helper()
	_, text := fetch(t, http.DefaultClient, "GET", r.info.AdminURL+"/metrics", nil)
	for _, m := range regexp.MustCompile(`(?m)^`+pattern+`.* ([0-9.e+]+)$`).FindAllStringSubmatch(text, -1) {
		var v float64
		if _, err := fmt.Sscan(m[1], &v); err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}

func soonTrue(t *testing.T, what string, look func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !look(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// TestTierMetricsAreExplained: docs/operate.md lists those that come with cache servers.
func TestTierMetricsAreExplained(t *testing.T) {
	_, url := localclustertest.Database(t)
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{})[0]
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.Database, cfg.ClusterSecret, cfg.Cache, cfg.Direct = url, testSecret, r.URL(), true
	w := start(t, cfg)
	token := superuserOf(t, server.Place{Dir: cfg.Dir, Database: url}, w.info.URL)
	posts(t, w.info.URL, token)
	call(t, "GET", w.info.URL+"/api/collections/posts/records", "", nil)
	_, text := fetch(t, http.DefaultClient, "GET", w.info.AdminURL+"/metrics", io.Reader(nil))
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (pando_cache_\w+) `).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	documented := explained(t, section(t, "Cache servers"), "| metric of cache servers | what it counts |")
	names = slices.DeleteFunc(names, func(n string) bool {
		return slices.Contains([]string{"pando_cache_requests_total", "pando_cache_stale_total", "pando_cache_evictions_total", "pando_cache_bytes", "pando_cache_entries"}, n)
	})
	slices.Sort(names)
	if diff := cmp.Diff(names, documented); diff != "" {
		t.Errorf("metrics (-server +docs):\n%s", diff)
	}
}
