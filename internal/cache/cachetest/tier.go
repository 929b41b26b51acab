package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

// RunTier checks a kind of tier. open gives two servers of one cluster what they
// share, empty.
func RunTier(t *testing.T, open func(t *testing.T) (a, b cache.Tier)) {
	ctx := context.Background()
	epoch := position.Epoch{Database: 7, Incarnation: 1, Timeline: 3}
	entry := func(key string, value []byte) *cache.Entry {
		return &cache.Entry{Key: key, Epoch: epoch, S: 1 << 40, Tags: []position.Tag{1, 1 << 63, 3}, Search: 1 << 63, Value: value}
	}

	t.Run("what one server put, another gets", func(t *testing.T) {
		a, b := open(t)
		large := make([]byte, 100_000)
		for i := range large {
			large[i] = byte(rand.N(4))
		}
		for i, value := range [][]byte{nil, []byte("v"), bytes.Repeat([]byte("value "), 5000), large} {
			e := entry(fmt.Sprint("k", i), value)
			a.Put(e)
			got := Await(t, b, epoch, e.Key)
			if got.S != e.S || !slices.Equal(got.Tags, e.Tags) || got.Search != e.Search || !bytes.Equal(got.Value, value) ||
				got.Key != e.Key || got.Epoch != epoch {
				t.Errorf("%s: got %+v", e.Key, got)
			}
		}
		e := &cache.Entry{Key: "bare", Epoch: epoch}
		a.Put(e)
		if got := Await(t, b, epoch, e.Key); got.S != 0 || len(got.Tags) != 0 || got.Search != 0 || len(got.Value) != 0 {
			t.Errorf("an entry of nothing: got %+v", got)
		}
	})

	t.Run("it is got under exactly its key and epoch", func(t *testing.T) {
		a, b := open(t)
		a.Put(entry("a\x00b", []byte("v")))
		Await(t, b, epoch, "a\x00b")
		for _, other := range []string{"a", "a\x00", "a\x00b\x00", "A\x00b", ""} {
			if got := b.Get(ctx, epoch, []byte(other)); got != nil {
				t.Errorf("Get(%q) = %+v, want nil", other, got)
			}
		}
		for _, other := range []position.Epoch{
			{Database: 8, Incarnation: 1, Timeline: 3},
			{Database: 7, Incarnation: 2, Timeline: 3},
			{Database: 7, Incarnation: 1, Timeline: 4},
			{Database: 7, Incarnation: 1, Timeline: 2},
		} {
			if got := b.Get(ctx, other, []byte("a\x00b")); got != nil {
				t.Errorf("Get in %+v = %+v, want nil", other, got)
			}
		}
	})

	t.Run("one server of the cluster has the claim", func(t *testing.T) {
		a, b := open(t)
		if e, mine := a.Claim(ctx, epoch, []byte("k")); e != nil || !mine {
			t.Fatalf("the first: %v, %v; want the claim", e, mine)
		}
		if e, mine := b.Claim(ctx, epoch, []byte("k")); e != nil || mine {
			t.Fatalf("the second: %v, %v; want to wait", e, mine)
		}
		if _, mine := b.Claim(ctx, epoch, []byte("other")); !mine {
			t.Fatal("a claim holds off another key")
		}
		a.Put(entry("k", []byte("v")))
		began := time.Now()
		for {
			e, mine := b.Claim(ctx, epoch, []byte("k"))
			if mine && e == nil && time.Since(began) < cache.FillLock/2 {
				t.Fatal("the claim ended before the entry was there")
			}
			if e != nil || mine {
				break
			}
		}
	})

	t.Run("a claim ends by Release, and by itself", func(t *testing.T) {
		a, b := open(t)
		for _, release := range []bool{true, false} {
			key := []byte(fmt.Sprint("release ", release))
			if _, mine := a.Claim(ctx, epoch, key); !mine {
				t.Fatal("no claim")
			}
			if release {
				a.Release(epoch, key)
			}
			soon(t, "the claim ends", func() bool { _, mine := b.Claim(ctx, epoch, key); return mine })
		}
	})

	t.Run("a thousand at once", func(t *testing.T) {
		a, b := open(t)
		var wg sync.WaitGroup
		var got atomic.Int64
		for g := range 50 {
			wg.Go(func() {
				for i := range 20 {
					key := fmt.Sprint((g + i) % 10)
					e := b.Get(ctx, epoch, []byte(key))
					if e != nil {
						got.Add(1)
						if string(e.Value) != key {
							t.Errorf("Get(%s) = %s", key, e.Value)
						}
					}
					a.Put(entry(key, []byte(key)))
				}
			})
		}
		wg.Wait()
		for i := range 10 {
			Await(t, b, epoch, fmt.Sprint(i))
		}
	})
}

// Await is the entry of a key that was put, as soon as it is there.
func Await(t testing.TB, tier cache.Tier, epoch position.Epoch, key string) (e *cache.Entry) {
	t.Helper()
	soon(t, fmt.Sprintf("the entry of %q is there", key), func() bool {
		e = tier.Get(context.Background(), epoch, []byte(key))
		return e != nil
	})
	return e
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
