package cached_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/cache/memory"
	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
	"github.com/pandobase/pando/internal/store/cached"
)

// numbers is the codec of float64 values under keys "view\x00…", all of one collection.
type numbers struct{}

func (numbers) Label(key []byte) (string, bool) {
	return "notes_id", strings.HasPrefix(string(key), "view\x00")
}

func (numbers) Encode(v any) ([]byte, bool) {
	n, ok := v.(float64)
	return binary.BigEndian.AppendUint64(nil, math.Float64bits(n)), ok
}

func (numbers) Decode(b []byte) (any, int, error) {
	if len(b) != 8 {
		return nil, 0, errors.New("no number")
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), 8, nil
}

func (numbers) Differences(_, a, b []byte) []string {
	if string(a) == string(b) {
		return nil
	}
	return []string{"n"}
}

// server is another web server on f's database, with a memory of its own.
func (f *fixture) server(t testing.TB, o cached.Options) *fixture {
	t.Helper()
	mem, err := memory.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mem.Close)
	g := *f
	g.cache = mem
	g.Facts = cached.New(f.db, mem, position.NewClock(f.index, 0))
	o.Codec = numbers{}
	g.Use(o)
	t.Cleanup(func() {
		if err := g.Facts.Close(); err != nil {
			t.Error(err)
		}
	})
	return &g
}

// redisTier is a web server's connection to real servers.
func redisTier(t testing.TB, servers ...*localcluster.Redis) *redis.Tier {
	t.Helper()
	var addrs []string
	for _, r := range servers {
		addrs = append(addrs, r.Addr())
	}
	c, err := redis.ParseURL(servers[0].RedisURL(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	tier, err := redis.New(redis.Options{Config: c, Secret: []byte("a secret of the cluster")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tier.Close() })
	soon(t, "the cache servers are up", func() bool {
		for i := range 20 {
			tier.Get(t.Context(), position.Epoch{}, fmt.Append(nil, "warm", i))
		}
		for _, s := range tier.Stats().Servers {
			if s.State != "up" {
				return false
			}
		}
		return true
	})
	return tier
}

func soon(t testing.TB, what string, look func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !look(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// patience is for how long at least a server waits for another one's fill: it asks 1 and
// 2 ms later, and not as long again after that if fills take no time (tier.claim).
const patience = 3 * time.Millisecond

// TestIdentitiesStay: what has no bytes does not even ask the tier.
func TestIdentitiesStay(t *testing.T) {
	shared := new(cachetest.Shared)
	f := open(t)
	f.insert(t, "a", 1)
	web := f.server(t, cached.Options{Tier: shared})
	var fills atomic.Int64
	if _, err := web.count(t.Context(), &fills); err != nil {
		t.Fatal(err)
	}
	if shared.Asked() > 0 || len(shared.Entries()) > 0 {
		t.Errorf("the tier was asked %d times and holds %d entries", shared.Asked(), len(shared.Entries()))
	}
	if _, err := web.view(t.Context(), "a", &fills); err != nil {
		t.Fatal(err)
	}
	if len(shared.Entries()) != 1 {
		t.Errorf("the tier holds %d entries, want that of the view", len(shared.Entries()))
	}
}

// TestAnotherOrigin: a cluster that was started anew on a copy of the database, put
// back while no server ran, has positions that were given out before, for something
// else. It takes nothing of what the tier has of those.
func TestAnotherOrigin(t *testing.T) {
	shared := new(cachetest.Shared)
	f := open(t)
	f.insert(t, "a", 1)
	var fills atomic.Int64
	for origin := range uint64(3) {
		g := *f
		g.index = position.NewIndex(f.index.Frontier())
		g.index.SetOrigin(origin)
		web := g.server(t, cached.Options{Tier: shared})
		second := g.server(t, cached.Options{Tier: shared})
		for _, s := range []*fixture{web, second} {
			if got, err := s.view(t.Context(), "a", &fills); err != nil || got != 1 {
				t.Fatalf("a is %v, %v", got, err)
			}
		}
		if n := uint64(fills.Load()); n != origin+1 || second.Counts().Tiered != 1 {
			t.Errorf("origin %d: %d fills in all, the second server took %d from the tier", origin, n, second.Counts().Tiered)
		}
	}
}

// TestUnkeptIsNotAskedFor: a value that may not be kept asks the tier once.
func TestUnkeptIsNotAskedFor(t *testing.T) {
	shared := new(cachetest.Shared)
	f := open(t)
	web := f.server(t, cached.Options{Tier: shared})
	read := func() {
		_, err := web.Read(t.Context(), []byte("view\x00random"), func(context.Context, store.Reader) (any, int, error) { return 4.0, -1, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	read()
	asked := shared.Asked()
	read()
	read()
	if asked == 0 || shared.Asked() != asked || len(shared.Entries()) > 0 {
		t.Errorf("asked %d times, then %d; %d entries", asked, shared.Asked(), len(shared.Entries()))
	}
	failing := errors.New("no")
	_, err := web.Read(t.Context(), []byte("view\x00bad"), func(context.Context, store.Reader) (any, int, error) { return nil, 0, failing })
	if !errors.Is(err, failing) {
		t.Error(err)
	}
	if _, mine := shared.Claim(t.Context(), position.Epoch{}, []byte("\x00\x00\x00\x00\x00\x00\x00\x00view\x00bad")); !mine {
		t.Error("a fill that failed keeps its claim")
	}
}

var _ cache.Codec = numbers{}

// BenchmarkTierHit is a read whose fact is never in memory and always in the tier.
func BenchmarkTierHit(b *testing.B) {
	r := localclustertest.Redis(b, 1, localcluster.RedisOptions{})[0]
	f := open(b)
	f.insert(b, "a", 1)
	tier := redisTier(b, r)
	web := f.server(b, cached.Options{Tier: tier})
	var fills atomic.Int64
	read := func() {
		if got, err := web.view(b.Context(), "a", &fills); err != nil || got != 1 {
			b.Fatal(got, err)
		}
	}
	read()
	soon(b, "the fact is in the tier", func() bool { web.cache.Clear(); read(); return web.Counts().Tiered > 0 })
	before := fills.Load()
	b.ReportAllocs()
	for b.Loop() {
		web.cache.Clear()
		read()
	}
	if late := fills.Load() - before; late > int64(b.N)/100+1 {
		b.Errorf("%d of %d were fills", late, b.N)
	}
}

// found is a tier that has one fact.
type found struct {
	*cachetest.Shared
	e *cache.Entry
}

func (f found) Get(_ context.Context, _ position.Epoch, key []byte) *cache.Entry {
	e := *f.e
	e.Key = string(key)
	return &e
}

// What another server knew to be released, by an S that is not known here yet, has been
// answered here all the same: without a lease nothing older may be.
func TestReleasedElsewhere(t *testing.T) {
	f := open(t)
	x := position.NewStreamIndex(position.Epoch{}, 100, 16)
	clock := position.NewClock(x, time.Second)
	clock.Grant(x, position.BootTime()+time.Minute.Nanoseconds())
	tag := position.RecordTag("notes", "a")
	value, _ := numbers{}.Encode(7.0)
	facts := cached.New(f.db, f.cache, clock)
	facts.Use(cached.Options{Codec: numbers{}, Tier: found{new(cachetest.Shared), &cache.Entry{S: 120, Tags: []position.Tag{tag}, Value: value}}})
	defer facts.Close()
	read := func(id string) {
		t.Helper()
		v, err := facts.Read(t.Context(), []byte("view\x00"+id), func(context.Context, store.Reader) (any, int, error) { return nil, 0, errors.New("filled") })
		if err != nil || v != 7.0 {
			t.Fatalf("%v, %v", v, err)
		}
	}
	x.Apply(110, 1, []position.Tag{tag}, false)
	x.Advance(115)
	x.Settle(110)
	if read("a"); clock.Shown(x).N != 0 {
		t.Errorf("S is there: %v", clock.Shown(x))
	}
	x.Apply(117, 2, []position.Tag{tag}, false)
	x.Advance(118)
	if read("b"); clock.Shown(x).N != 117 {
		t.Errorf("S is not there: %v, want 117", clock.Shown(x))
	}

	y := position.NewStreamIndex(position.Epoch{}, 100, 16)
	y.Advance(119)
	clock.Replace(y)
	clock.Grant(y, position.BootTime()+1)
	clock.Degrade(true)
	filled := 0
	for _, front := range []position.N{119, 120} {
		y.Advance(front)
		if _, err := facts.Read(t.Context(), []byte("view\x00c"), func(context.Context, store.Reader) (any, int, error) {
			filled++
			return 7.0, 8, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if filled != 1 {
		t.Errorf("filled %d times: without a lease nobody knows what a fact beyond F holds, and what others hold", filled)
	}
}

// What this server has shown without a lease can lie beyond what it knows when it has one
// again: what is kept may be older, until it knows as much.
func TestALeaseAgain(t *testing.T) {
	f := open(t)
	x := position.NewStreamIndex(position.Epoch{}, 100, 16)
	clock := position.NewClock(x, time.Second)
	value, _ := numbers{}.Encode(7.0)
	facts := cached.New(f.db, f.cache, clock)
	facts.Use(cached.Options{Codec: numbers{}, Tier: found{new(cachetest.Shared), &cache.Entry{S: 100, Value: value}}})
	defer facts.Close()
	x.Settle(100)
	clock.Grant(x, position.BootTime()+time.Minute.Nanoseconds())
	read := func(id string) (filled int) {
		t.Helper()
		if _, err := facts.Read(t.Context(), []byte("view\x00"+id), func(context.Context, store.Reader) (any, int, error) {
			filled++
			return 7.0, 8, nil
		}); err != nil {
			t.Fatal(err)
		}
		return filled
	}
	if read("a") != 0 {
		t.Fatal("it is in the tier")
	}
	clock.Show(x, position.Token{N: 120})
	if read("b") == 0 {
		t.Error("what is kept may be older than what this server has shown")
	}
	x.Advance(120)
	if read("c") != 0 {
		t.Error("it knows of all that it has shown")
	}
}

// A fact may hold a change that was made while it was read. Nobody else is given it: by what
// he knows it may seem to be as old as it says.
func TestChangedMeanwhileIsNotShared(t *testing.T) {
	shared := new(cachetest.Shared)
	f := open(t)
	f.insert(t, "a", 1)
	web := f.server(t, cached.Options{Tier: shared})
	read := func(id string, meanwhile func()) {
		t.Helper()
		_, err := web.Read(t.Context(), []byte("view\x00"+id), func(ctx context.Context, r store.Reader) (any, int, error) {
			if _, err := r.Record(ctx, f.notes, "a"); err != nil {
				return nil, 0, err
			}
			meanwhile()
			return 1.0, 8, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read("x", func() {
		if err := f.set(t.Context(), "a", 2); err != nil {
			t.Fatal(err)
		}
	})
	if n := len(shared.Entries()); n != 0 {
		t.Errorf("%d entries", n)
	}
	if read("y", func() {}); len(shared.Entries()) != 1 {
		t.Errorf("%d entries when nothing has changed", len(shared.Entries()))
	}
}
