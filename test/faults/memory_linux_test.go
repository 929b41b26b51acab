package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/test/target"
)

const memoryLimit = 256 << 20

// filled makes a data directory with a collection of n records of about 600
// bytes, with the ids that id gives.
func filled(t *testing.T, n int) string {
	t.Helper()
	a := start(t)
	a.collection(t, "items", map[string]any{"name": "title", "type": "text"}, map[string]any{"name": "text", "type": "text"},
		map[string]any{"name": "number", "type": "number"}, map[string]any{"name": "created", "type": "autodate", "onCreate": true})
	a.must(t, a.json(t, "PATCH", "/api/collections/items", a.token, map[string]any{"indexes": []string{"CREATE INDEX items_number ON items (number)"}}), 200)
	rows := filepath.Join(t.TempDir(), "rows.ndjson")
	f, err := os.Create(rows)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		fmt.Fprintf(w, `{"id":%q,"title":"item %d","number":%d,"text":"%0400x"}`+"\n", id(i), i, random.IntN(1000), random.Uint64())
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out := command(t, "import", rows, "--collection", "items", "--dir", a.Dir); code != 0 {
		t.Fatalf("import: %d %s", code, tail(out))
	}
	a.until(t, "all are there", func() bool { return a.count(t, "items") == n })
	a.Stop()
	return a.Dir
}

func id(i int) string { return fmt.Sprintf("item%011d", i) }

// mix reads and writes, 95 to 5, for a while: views by a Zipf distribution,
// lists and filters now and then.
func (a *api) mix(t *testing.T, n int, span time.Duration) (requests int64) {
	t.Helper()
	var count atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(span)
	for w := range 32 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 3))
			zipf := rand.NewZipf(random, 1.1, 10, uint64(n-1))
			for time.Now().Before(end) {
				method, path, body := "GET", records("items"), ""
				one := path + "/" + id(int(zipf.Uint64()*7919)%n)
				switch what := random.IntN(100); {
				case what < 3:
					method, path, body = "PATCH", one, fmt.Sprintf(`{"number":%d}`, random.IntN(1000))
				case what < 5:
					method, body = "POST", fmt.Sprintf(`{"title":"new","text":"%0400x"}`, random.Uint64())
				case what < 15:
					path += fmt.Sprintf("?page=%d&sort=-number", 1+random.IntN(50))
				case what < 20:
					path += query("filter", fmt.Sprintf("number = %d", random.IntN(1000)), "perPage", "200")
				case what < 21:
					path += fmt.Sprintf("?page=%d&perPage=1000", 1+random.IntN(n/1000))
				default:
					path = one
				}
				got, err := a.try(method, path, "", "application/json", strings.NewReader(body))
				if err != nil || got.status != 200 {
					t.Errorf("%s %s: %v %d %.200s", method, path, err, got.status, got.body)
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return count.Load()
}

// verbose is what /readyz?verbose tells of the sizes that follow the machine.
func (a *api) verbose(t *testing.T) map[string]float64 {
	t.Helper()
	req, err := http.NewRequest("GET", a.Admin+"/readyz?verbose", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	out := map[string]float64{}
	for k, v := range all {
		if f, ok := v.(float64); ok {
			out[k] = f
		}
	}
	return out
}

// TestMemoryLimit serves 100,000 records with 256 MB of memory, told by
// GOMEMLIMIT and, where one can be made, by a control group.
func TestMemoryLimit(t *testing.T) {
	const n = 100_000
	span := 5 * time.Second
	if long() {
		span = time.Minute
	}
	dir := filled(t, n)
	check := func(t *testing.T, a *api) {
		v := a.verbose(t)
		t.Logf("limits: memory %.0f, gc %.0f, cache %.0f, bodies %.0f, readers %.0f", v["memoryBytes"], v["gcLimitBytes"],
			v["cacheLimitBytes"], v["bodyLimitBytes"], v["readers"])
		if v["memoryBytes"] != memoryLimit || v["gcLimitBytes"] <= 0 || v["gcLimitBytes"] > memoryLimit ||
			v["cacheLimitBytes"] != memoryLimit/8 || v["readers"] < 2 || v["readers"] > 16 {
			t.Errorf("the sizes do not follow the limit: %v", v)
		}
		began := time.Now()
		requests := a.mix(t, n, span)
		v = a.verbose(t)
		for i := 0; i < 10 && v["cacheBytes"] < 0.9*v["cacheLimitBytes"] && !t.Failed(); i++ { // with a full cache it takes the most
			requests += a.mix(t, n, time.Second)
			v = a.verbose(t)
		}
		now, peak := a.rss(t)
		t.Logf("%d requests in %s; resident %d MB, at most %d MB; cache %.0f MB, %.0f hits, %.0f misses", requests, time.Since(began).Round(time.Second),
			now>>20, peak>>20, v["cacheBytes"]/(1<<20), v["cacheHits"], v["cacheMisses"])
		if peak > memoryLimit {
			t.Errorf("the server took %d MB", peak>>20)
		}
		a.healthy(t)
	}
	t.Run("GOMEMLIMIT", func(t *testing.T) {
		a := startIn(t, dir, []string{"GOMEMLIMIT=256MiB"})
		check(t, a)
		a.Stop()
	})
	t.Run("control group", func(t *testing.T) {
		group := controlGroup(t, memoryLimit)
		if group == "" {
			return
		}
		a := startAmong(t, dir, target.Surroundings{
			Wrap: []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(group, "cgroup.procs")},
		})
		check(t, a)
		if b, err := os.ReadFile(filepath.Join(group, "memory.failcnt")); err == nil {
			t.Logf("the group ran into its limit %s times (files' pages count as well)", strings.TrimSpace(string(b)))
		}
		a.Stop()
	})
}

// controlGroup makes a group with a limit on memory. It returns "" where that is
// not possible: no root, or control groups that this machine keeps to itself.
func controlGroup(t *testing.T, limit int64) string {
	t.Helper()
	for _, v := range []struct{ root, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"},
	} {
		group := filepath.Join(v.root, fmt.Sprint("pando-faults-", os.Getpid()))
		if os.Mkdir(group, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(group) })
		if err := os.WriteFile(filepath.Join(group, v.limit), []byte(strconv.FormatInt(limit, 10)), 0); err != nil {
			t.Logf("%v", err)
			continue
		}
		return group
	}
	t.Log("no control group can be made here: only GOMEMLIMIT is tested")
	return ""
}
