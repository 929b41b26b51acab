package redis_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
)

// command runs one on a server, past the tier.
func command(t testing.TB, r *localcluster.Redis, args ...string) string {
	t.Helper()
	out, err := r.Exec(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// entry is one whose value is its key. The database takes long for it, so that no
// server is called slow because the machine of the test is busy.
func entry(key string) *cache.Entry {
	return &cache.Entry{
		Key: key, Epoch: epoch, S: 9, Tags: []position.Tag{4, 5}, Search: 5, Value: []byte("value of " + key), Took: 25 * time.Millisecond,
	}
}

// fill puts n entries, and waits until all are there.
func fill(t testing.TB, tier cache.Tier, n int) {
	t.Helper()
	for i := range n {
		key := fmt.Sprint("k", i)
		tier.Put(entry(key))
		cachetest.Await(t, tier, epoch, key)
	}
}

// answered is how many entries the only server was asked for and answered.
func answered(tier *redis.Tier) uint64 {
	s := tier.Stats().Servers[0]
	return s.Hits + s.Misses
}

// TestAttacker: whoever may write to a server what he likes changes no answer.
// What he finds there tells nothing but sizes.
func TestAttacker(t *testing.T) {
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{})[0]
	tier := open(t, r.URL())
	const n = 20
	fill(t, tier, n)
	names := strings.Fields(command(t, r, "KEYS", "pando:*"))
	names = slices.DeleteFunc(names, func(s string) bool { return strings.HasSuffix(s, "+") })
	if len(names) != n {
		t.Fatalf("%d keys, want %d", len(names), n)
	}
	held := map[string]string{}
	for _, name := range names {
		held[name] = command(t, r, "GET", name)
		if strings.Contains(held[name], "value") || strings.Contains(name, "k1") {
			t.Fatalf("%q holds %q in the open", name, held[name])
		}
	}
	// The same keys in another cluster, which shares the server.
	other, err := redis.New(redis.Options{Config: parse(t, r.URL()), Secret: []byte("the secret of another cluster")})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	warm(t, other)
	fill(t, other, n)
	var foreign []string
	for _, name := range strings.Fields(command(t, r, "KEYS", "pando:*")) {
		if held[name] == "" && !strings.HasSuffix(name, "+") {
			foreign = append(foreign, command(t, r, "GET", name))
		}
	}
	if len(foreign) != n {
		t.Fatalf("%d keys of the other cluster, want %d: they share names", len(foreign), n)
	}

	random := rand.New(rand.NewPCG(1, 2))
	for what, forge := range map[string]func(i int) string{
		"bytes of his own": func(int) string {
			b := make([]byte, random.IntN(200))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			return string(b)
		},
		"a little":               func(int) string { return "x" },
		"very much":              func(i int) string { return held[names[i]] + strings.Repeat("x", 2*cache.MaxEntry) },
		"the entry of another":   func(i int) string { return held[names[(i+1)%n]] },
		"of another cluster":     func(i int) string { return foreign[i] },
		"cut off":                func(i int) string { s := held[names[i]]; return s[:1+random.IntN(len(s)-1)] },
		"longer":                 func(i int) string { return held[names[i]] + "x" },
		"one bit turned":         func(i int) string { return turned(held[names[i]], random.IntN(8*len(held[names[i]]))) },
		"another epoch in front": func(i int) string { return turned(held[names[i]], 8*18) },
		"said to be compressed":  func(i int) string { return turned(held[names[i]], 8) },
		"one twice":              func(i int) string { return strings.Repeat(held[names[i]], 2) },
	} {
		before := tier.Stats()
		for i, name := range names {
			command(t, r, "SET", name, forge(i))
		}
		for i := range n {
			answers := answered(tier)
			soon(t, "an answer, which is late where the machine is busy", func() bool {
				if e := tier.Get(t.Context(), epoch, fmt.Append(nil, "k", i)); e != nil {
					t.Errorf("%s: k%d is %+v", what, i, e)
				}
				return answered(tier) > answers
			})
		}
		after := tier.Stats()
		if got := after.Forged + after.Foreign - before.Forged - before.Foreign; got != n {
			t.Errorf("%s: %d counted as forged or foreign, want %d", what, got, n)
		}
		if after.OldEpoch != before.OldEpoch {
			t.Errorf("%s: what is forged is counted as old", what)
		}
	}
	command(t, r, "DEL", names[0])
	command(t, r, "LPUSH", names[0], "x") // another type: the server answers with an error
	for i := range n {
		if e := tier.Get(t.Context(), epoch, fmt.Append(nil, "k", i)); e != nil {
			t.Errorf("a list: k%d is %+v", i, e)
		}
	}
	// What was there before is taken for what it is: old, and true.
	command(t, r, "DEL", names[0])
	for name, data := range held {
		command(t, r, "SET", name, data)
	}
	soon(t, "the entries of before are there again", func() bool {
		for i := range n {
			e := tier.Get(t.Context(), epoch, fmt.Append(nil, "k", i))
			if e == nil || !bytes.Equal(e.Value, entry(e.Key).Value) || e.S != 9 {
				return false
			}
		}
		return true
	})
}

// turned is s with one bit turned.
func turned(s string, bit int) string {
	b := []byte(s)
	b[bit/8] ^= 1 << (bit % 8)
	return string(b)
}

// TestEveryKeyEnds: entries after the time to live, ± 10 %, and claims at once.
func TestEveryKeyEnds(t *testing.T) {
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{})[0]
	tier := open(t, r.URL())
	fill(t, tier, 100)
	tier.Claim(t.Context(), epoch, []byte("claimed"))
	least, most := 1<<62, 0
	for _, name := range strings.Fields(command(t, r, "KEYS", "*")) {
		var ms int
		if _, err := fmt.Sscan(command(t, r, "PTTL", name), &ms); err != nil || ms == -1 {
			t.Errorf("%s does not end", name)
		}
		if strings.HasSuffix(name, "+") {
			if ms > int(cache.FillLock.Milliseconds()) {
				t.Errorf("a claim ends after %d ms", ms)
			}
			continue
		}
		least, most = min(least, ms), max(most, ms)
	}
	day := int(redis.DefaultTTL.Milliseconds())
	if least < day*89/100 || most > day*11/10 || most-least < day/20 {
		t.Errorf("entries end after %d to %d ms, want %d ± 10 %%", least, most, day)
	}
}

// TestOldTimeline: what was put before a failover is counted, and not given out.
func TestOldTimeline(t *testing.T) {
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{})[0]
	tier := open(t, r.URL())
	fill(t, tier, 3)
	later := epoch
	later.Timeline++
	for i := range 3 {
		if e := tier.Get(t.Context(), later, fmt.Append(nil, "k", i)); e != nil {
			t.Errorf("on the next timeline: %+v", e)
		}
	}
	if s := tier.Stats(); s.OldEpoch != 3 || s.Forged+s.Foreign != 0 {
		t.Errorf("counted %+v, want 3 of an old epoch", s)
	}
}
