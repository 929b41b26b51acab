package cached_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
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

// TestThousandMisses: a thousand requests of three servers miss one key at once:
// the database is asked once.
func TestThousandMisses(t *testing.T) {
	servers := localclustertest.Redis(t, 3, localcluster.RedisOptions{})
	f := open(t)
	var web [3]*fixture
	var tiers [3]*redis.Tier
	claims := new(claims)
	for i := range web {
		tiers[i] = redisTier(t, servers...)
		web[i] = f.server(t, cached.Options{Tier: claimed{tiers[i], claims}})
	}
	late := func() (n uint64) {
		for _, tier := range tiers {
			for _, s := range tier.Stats().Servers {
				n += s.Late + s.LeftOut + s.Failed
			}
		}
		return n
	}
	for round := range 20 {
		id := fmt.Sprint("n", round)
		f.insert(t, id, float64(round))
		lateBefore := late()
		claims.forget()
		var fills atomic.Int64
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 999 {
			wg.Go(func() {
				<-start
				if got, err := web[i%3].view(t.Context(), id, &fills); err != nil || got != float64(round) {
					t.Errorf("%s is %v, %v", id, got, err)
				}
			})
		}
		close(start)
		wg.Wait()
		// Where the machine is so busy that a cache server is late, or the one who fills,
		// more than one may ask; never more than one for each server.
		n := fills.Load()
		if n > 3 || n > 1 && late() == lateBefore && !claims.slow() {
			t.Errorf("round %d: the database was asked %d times, %v", round, n, claims.fills)
		}
	}
}

// patience is for how long at least a server waits for another one's fill: it asks 1 and
// 2 ms later, and not as long again after that if fills take no time (tier.claim).
const patience = 3 * time.Millisecond

// claims notes who is told to fill, and who fills.
type claims struct {
	mu    sync.Mutex
	given time.Time       // when the first who was told to fill asked; zero: nobody was
	fills []time.Duration // since then
}

func (c *claims) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.given, c.fills = time.Time{}, nil
}

// slow tells whether every fill but the first began when patience with that was over.
func (c *claims) slow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.fills)
	return len(c.fills) > 1 && c.fills[1] >= patience
}

// claimed is a tier that tells of its claims.
type claimed struct {
	tier   cache.Tier
	claims *claims
}

func (c claimed) Get(ctx context.Context, epoch position.Epoch, key []byte) *cache.Entry {
	return c.tier.Get(ctx, epoch, key)
}

func (c claimed) Claim(ctx context.Context, epoch position.Epoch, key []byte) (*cache.Entry, bool) {
	asked := time.Now()
	e, mine := c.tier.Claim(ctx, epoch, key)
	if mine && e == nil {
		c.claims.mu.Lock()
		defer c.claims.mu.Unlock()
		if c.claims.given.IsZero() || asked.Before(c.claims.given) {
			c.claims.given = asked
		}
	}
	return e, mine
}

func (c claimed) Put(e *cache.Entry) {
	began := time.Now().Add(-e.Took)
	c.claims.mu.Lock()
	c.claims.fills = append(c.claims.fills, began.Sub(c.claims.given))
	c.claims.mu.Unlock()
	c.tier.Put(e)
}

func (c claimed) Release(epoch position.Epoch, key []byte) { c.tier.Release(epoch, key) }

// TestNothingStale: readers on three servers beside writers, while cache servers are
// wiped and restored from old dumps: nobody is shown less than what was answered.
func TestNothingStale(t *testing.T) {
	servers := localclustertest.Redis(t, 2, localcluster.RedisOptions{})
	f := open(t)
	var web [3]*fixture
	for i := range web {
		web[i] = f.server(t, cached.Options{Tier: redisTier(t, servers...), ShadowEvery: 50})
	}
	const notes = 8
	var written [notes]atomic.Int64 // what was answered
	for i := range notes {
		f.insert(t, fmt.Sprint("n", i), 0)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			i := n % notes
			if err := f.set(context.WithoutCancel(ctx), fmt.Sprint("n", i), float64(n)); err != nil {
				t.Error(err)
				return
			}
			written[i].Store(n)
			if n%20 == 0 {
				wait(ctx, 2*time.Millisecond) // so that something is worth keeping
			}
		}
	})
	var fills, reads atomic.Int64
	for g := range 6 {
		wg.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				i := k % notes
				least := written[i].Load()
				got, err := web[(g+k)%3].view(context.WithoutCancel(ctx), fmt.Sprint("n", i), &fills)
				if err != nil || int64(got) < least {
					t.Errorf("n%d is %v, %v; %d was answered before", i, got, err, least)
					return
				}
				reads.Add(1)
			}
		})
	}
	wg.Go(func() { // the weather
		dump, err := servers[0].Save(t.Context())
		for ctx.Err() == nil && err == nil {
			if err = servers[1].Wipe(t.Context()); err == nil {
				err = servers[0].Restore(t.Context(), dump)
			}
			wait(ctx, 150*time.Millisecond)
			if err == nil && ctx.Err() == nil {
				dump, err = servers[0].Save(t.Context())
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	tiered := uint64(0)
	for _, w := range web {
		tiered += w.Counts().Tiered
		if s := w.Shadows(); s.Violations > 0 {
			t.Errorf("shadow reads found %+v", s)
		}
	}
	t.Logf("%d reads, %d fills, %d from the tier", reads.Load(), fills.Load(), tiered)
	if tiered == 0 {
		t.Error("nothing came from the tier: the test shows nothing")
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

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

// lines is a log that can be read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestChangingTooOften: a collection whose facts are mostly out of date when they
// are found is kept out of the tier, and that is said.
func TestChangingTooOften(t *testing.T) {
	shared, log := new(cachetest.Shared), new(lines)
	f := open(t)
	f.insert(t, "a", 0)
	web := f.server(t, cached.Options{Tier: shared, Log: slog.New(slog.NewTextHandler(log, nil))})
	var fills atomic.Int64
	for i := range 1100 {
		if err := f.set(t.Context(), "a", float64(i)); err != nil {
			t.Fatal(err)
		}
		if got, err := web.view(t.Context(), "a", &fills); err != nil || got != float64(i) {
			t.Fatalf("a is %v, %v; want %d", got, err, i)
		}
	}
	l := web.Labels()[0]
	if l.Fills != uint64(fills.Load()) {
		t.Errorf("%d fills are counted of %d", l.Fills, fills.Load())
	}
	if !l.Shut || l.Stale < 1000 || l.Stale > 1050 || !strings.Contains(log.String(), "collection=notes_id") {
		t.Errorf("%+v, and the log says %s", l, log)
	}
	asked := shared.Asked()
	if err := f.set(t.Context(), "a", -5); err != nil {
		t.Fatal(err)
	}
	if got, err := web.view(t.Context(), "a", &fills); err != nil || got != -5 || shared.Asked() != asked {
		t.Errorf("a is %v, %v; the tier was asked %d times more", got, err, shared.Asked()-asked)
	}
}

// TestShadowReads: a cache that lies is found out, and one that does not is not;
// what changed between says nothing.
func TestShadowReads(t *testing.T) {
	shared, log := new(cachetest.Shared), new(lines)
	f := open(t)
	f.insert(t, "a", 1)
	f.insert(t, "b", 2)
	honest := f.server(t, cached.Options{Tier: shared, ShadowEvery: 1})
	var fills atomic.Int64
	for range 50 {
		if _, err := honest.view(t.Context(), "a", &fills); err != nil {
			t.Fatal(err)
		}
	}
	soon(t, "some hits are checked", func() bool { return honest.Shadows().Checks > 0 })
	if s := honest.Shadows(); s.Violations > 0 || s.Bound() != 3/float64(s.Checks) && s.Bound() != 1 {
		t.Errorf("an honest cache: %+v, bound %v", s, s.Bound())
	}

	e := *shared.Entries()[0]
	e.Value, _ = numbers{}.Encode(99.0)
	shared.Put(&e)
	deceived := f.server(t, cached.Options{Tier: shared, ShadowEvery: 1, Log: slog.New(slog.NewTextHandler(log, nil))})
	if got, err := deceived.view(t.Context(), "a", &fills); err != nil || got != 99 {
		t.Fatalf("a is %v, %v; the lie is 99", got, err)
	}
	soon(t, "the lie is found out", func() bool { return deceived.Shadows().Violations > 0 })
	for _, part := range []string{
		"from_tier=true", "collection=notes_id", "last_changes=", "stamp=", "first_difference=", "differs=[n]",
		"from a cache server in ", `read_again_from="the database"`, "heard=[]", "made_before=[]",
	} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}

	// A fact that a write ends while it is being checked says nothing.
	moved := f.server(t, cached.Options{ShadowEvery: 1})
	read := func(during func()) {
		_, err := moved.Read(t.Context(), []byte("view\x00b"), func(ctx context.Context, r store.Reader) (any, int, error) {
			rec, err := r.Record(ctx, f.notes, "b")
			if err != nil {
				return nil, 0, err
			}
			during()
			return rec.Get("n"), 8, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(func() {})
	var once sync.Once
	read(func() {
		once.Do(func() {
			if err := f.set(context.Background(), "b", 7); err != nil {
				t.Error(err)
			}
		})
	})
	soon(t, "the check is given up", func() bool { return moved.Shadows().Moved == 1 })
	if s := moved.Shadows(); s.Violations > 0 {
		t.Errorf("a change is taken for a lie: %+v", s)
	}
}

// sited is a store whose reads come from wherever a test says.
type sited struct {
	store.Store
	host    *string
	replica *bool
}

type sitedReader struct {
	store.Reader
	sited
}

func (s sited) Read(ctx context.Context, fn func(store.Reader) error) error {
	return s.Store.Read(ctx, func(r store.Reader) error { return fn(sitedReader{r, s}) })
}

func (r sitedReader) Site() (string, bool) { return *r.host, *r.replica }

// TestAViolationIsToldWhole: where and when the wrong fact was made, and the one of its
// key before; where it was read again; what differs, and nothing that is in it.
func TestAViolationIsToldWhole(t *testing.T) {
	f := open(t)
	f.insert(t, "a", 1234567)
	mem, err := memory.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mem.Close)
	log := new(lines)
	host, replica := "db2:5432", true
	var fills atomic.Int64
	web := *f
	web.Facts = cached.New(sited{f.db, &host, &replica}, mem, position.NewClock(f.index, 0))
	view := func(want float64) {
		t.Helper()
		if got, err := web.view(t.Context(), "a", &fills); err != nil || got != want {
			t.Fatalf("a is %v, %v; want %v", got, err, want)
		}
	}
	web.Use(cached.Options{Codec: numbers{}, ShadowEvery: 1, Log: slog.New(slog.NewJSONHandler(log, nil))})
	t.Cleanup(func() {
		if err := web.Facts.Close(); err != nil {
			t.Error(err)
		}
	})
	view(1234567)
	if err := f.set(t.Context(), "a", 2345678); err != nil {
		t.Fatal(err)
	}
	host, replica = "db1:5432", false
	view(2345678)
	key := []byte("view\x00a")
	wrong := *mem.Get(key)
	wrong.Value = 3456789.0
	mem.Put(&wrong)
	view(3456789)
	soon(t, "it is found out", func() bool { return web.Shadows().Violations > 0 })
	var told struct {
		Made       string
		Before     []string `json:"made_before"`
		Heard      []string
		Stamp      position.N
		Again      position.N `json:"read_again_stamp"`
		AgainHost  string     `json:"read_again_host"`
		Hash       uint64
		HashAgain  uint64 `json:"hash_again"`
		Differs    []string
		Bytes      int
		BytesAgain int `json:"bytes_again"`
	}
	if err := json.Unmarshal([]byte(log.String()), &told); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	if !strings.Contains(told.Made, "Z from the primary (db1:5432) in ") || !strings.HasSuffix(told.Made, fmt.Sprint(", stamp ", wrong.S)) {
		t.Errorf("made: %s", told.Made)
	}
	if len(told.Before) != 1 || !strings.Contains(told.Before[0], "Z from a replica (db2:5432) in ") {
		t.Errorf("made before: %q", told.Before)
	}
	if told.Stamp != wrong.S || told.Again < told.Stamp || told.AgainHost != host || told.Hash == told.HashAgain ||
		told.Bytes != 8 || told.BytesAgain != 8 || len(told.Differs) != 1 || told.Differs[0] != "n" {
		t.Errorf("%+v", told)
	}
	for _, secret := range []string{"1234567", "2345678", "3456789"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells a value: %s", log)
		}
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
