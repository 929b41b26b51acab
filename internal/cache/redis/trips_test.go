package redis_test

import (
	"maps"
	"regexp"
	"strconv"
	"testing"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// TestAHitIsOneRoundTrip counts what goes over the network for a hit, and what the cache
// server is told to do. A Claim asks for two things, at once.
func TestAHitIsOneRoundTrip(t *testing.T) {
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{})[0]
	relay, err := r.Relay()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	quiet(t)
	tier := open(t, r.RedisURL(relay.Addr()))
	tier.Put(entry("k"))
	cachetest.Await(t, tier, epoch, "k")
	const hits = 20
	for name, test := range map[string]struct {
		hit  func() *cache.Entry
		want map[string]int
	}{
		"Get": {func() *cache.Entry { return tier.Get(t.Context(), epoch, []byte("k")) }, map[string]int{"getrange": hits}},
		"Claim": {func() *cache.Entry {
			e, _ := tier.Claim(t.Context(), epoch, []byte("k"))
			return e
		}, map[string]int{"set": hits, "getrange": hits}},
	} {
		soon(t, "no server seems late: "+name, func() bool {
			before, began := relay.Turns(), commands(t, r)
			for range hits {
				if test.hit() == nil {
					return false
				}
			}
			turns, did := relay.Turns()-before, commands(t, r)
			maps.DeleteFunc(did, func(c string, n int) bool { did[c] = n - began[c]; return did[c] == 0 })
			pings := did["ping"] // of a connection that was idle, or of a server that seemed late
			delete(did, "ping")
			if !maps.Equal(did, test.want) || turns < hits || turns > int64(hits+pings) {
				t.Errorf("%s: %d hits were %d round trips and %v, beside %d pings; want %v", name, hits, turns, did, pings, test.want)
			}
			return true
		})
	}
	if s := stateOf(tier, 0); s.Hits < 2*hits {
		t.Errorf("the tier counts %d hits", s.Hits)
	}
}

var commandCalls = regexp.MustCompile(`cmdstat_([a-z|]+):calls=(\d+)`)

// commands is how often the server has carried out each, but for those of [localcluster.Redis.Exec].
func commands(t *testing.T, r *localcluster.Redis) map[string]int {
	t.Helper()
	text, err := r.Exec(t.Context(), "INFO", "commandstats")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, m := range commandCalls.FindAllStringSubmatch(text, -1) {
		calls[m[1]], _ = strconv.Atoi(m[2])
	}
	delete(calls, "auth")
	delete(calls, "info")
	return calls
}
