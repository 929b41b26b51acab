package cached_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/redis"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store/cached"
)

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
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tiered := func() (n uint64) {
		for _, w := range web {
			n += w.Counts().Tiered
		}
		return n
	}
	var wg sync.WaitGroup
	wg.Go(func() { // for as long as it takes: a cache server that is slow by chance is left out for a while
		defer cancel()
		for began := time.Now(); ctx.Err() == nil && (time.Since(began) < 3*time.Second || tiered() == 0); {
			wait(ctx, 50*time.Millisecond)
		}
	})
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
	for _, w := range web {
		if s := w.Shadows(); s.Violations > 0 {
			t.Errorf("shadow reads found %+v", s)
		}
	}
	t.Logf("%d reads, %d fills, %d from the tier", reads.Load(), fills.Load(), tiered())
	if tiered() == 0 {
		t.Error("nothing came from the tier: the test shows nothing")
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
