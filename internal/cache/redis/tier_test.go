package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
)

var (
	secret = []byte("a secret of the cluster")
	epoch  = position.Epoch{Database: 7, Incarnation: 1, Timeline: 3}
)

// parse reads an address that is right.
func parse(t testing.TB, url string) redis.Config {
	t.Helper()
	c, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open makes a tier, which leaves no goroutine behind, and waits until all of
// its servers are trusted.
func open(t testing.TB, url string) *redis.Tier {
	t.Helper()
	tier, err := redis.New(redis.Options{Config: parse(t, url), Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tier.Close(); err != nil {
			t.Error(err)
		}
	})
	warm(t, tier)
	return tier
}

// warm asks until all servers are up.
func warm(t testing.TB, tier *redis.Tier) {
	t.Helper()
	n := 0
	soon(t, "all cache servers are up", func() bool {
		for range 50 {
			n++
			tier.Get(t.Context(), epoch, []byte{byte(n), byte(n >> 8), 'w'})
		}
		for _, s := range tier.Stats().Servers {
			if s.State != "up" {
				return false
			}
		}
		return true
	})
}

// soon looks until it is so, for ten seconds at most.
func soon(t testing.TB, what string, look func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !look(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// quiet fails the test if goroutines are left when everything else of it is done.
func quiet(t *testing.T) {
	before := goleak.IgnoreCurrent()
	started := goleak.IgnoreAnyFunction("github.com/pandobase/pando/internal/localcluster.launch.func1") // servers
	t.Cleanup(func() { goleak.VerifyNone(t, before, started) })
}

func TestContract(t *testing.T) {
	servers := localclustertest.Redis(t, 3, localcluster.RedisOptions{})
	quiet(t)
	cachetest.RunTier(t, func(t *testing.T) (a, b cache.Tier) {
		for _, r := range servers {
			if err := r.Wipe(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		url := servers[0].RedisURL(servers[0].Addr(), servers[1].Addr(), servers[2].Addr())
		return open(t, url), open(t, url)
	})
}

// TestTLSAndACL: a user of an ACL over TLS, with a certificate of its own.
// TestLocation: a key lies on the server that is said to have it.
func TestLocation(t *testing.T) {
	servers := localclustertest.Redis(t, 3, localcluster.RedisOptions{})
	tier := open(t, servers[0].RedisURL(servers[0].Addr(), servers[1].Addr(), servers[2].Addr()))
	const n = 30
	fill(t, tier, n)
	want := map[string]int{}
	for i := range n {
		want[tier.Location(epoch, fmt.Append(nil, "k", i))]++
	}
	for _, r := range servers {
		got := 0
		for _, name := range strings.Fields(command(t, r, "KEYS", "pando:*")) {
			if !strings.HasSuffix(name, "+") { // a claim
				got++
			}
		}
		if got != want[r.Addr()] {
			t.Errorf("%s has %d keys, and is said to have %d", r.Addr(), got, want[r.Addr()])
		}
	}
	tier.SetServers(redis.Config{})
	if at := tier.Location(epoch, []byte("k1")); at != "" {
		t.Errorf("without servers it lies on %q", at)
	}
}

func TestTLSAndACL(t *testing.T) {
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{User: "pando", Password: "se:cr@et%", TLS: true, ClientCerts: true})[0]
	quiet(t)
	cert, key := r.ClientCert()
	url := r.URL() + "?ca=" + r.CAFile() + "&cert=" + cert + "&key=" + key
	cachetest.RunTier(t, func(t *testing.T) (a, b cache.Tier) { return open(t, url), open(t, url) })
}
