package memory_test

import (
	"fmt"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/cache/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	cachetest.Run(t, func(t *testing.T, maxBytes int64) cache.Cache {
		c, err := memory.New(maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	})
}

func TestGetDoesNotAllocate(t *testing.T) {
	c, err := memory.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	key := []byte("records\x00posts\x00abc")
	c.Put(&cache.Fact{Key: string(key), Value: 1})
	if n := testing.AllocsPerRun(1000, func() { c.Get(key) }); n > 0 {
		t.Errorf("a hit costs %v allocations, want 0", n)
	}
}

// BenchmarkMemoryPerEntry reports what an entry costs beside its key and value.
func BenchmarkMemoryPerEntry(b *testing.B) {
	const n = 200_000
	for b.Loop() {
		c, err := memory.New(1 << 40)
		if err != nil {
			b.Fatal(err)
		}
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf("key-%012d", i)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, k := range keys {
			c.Put(&cache.Fact{Key: k})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/entry")
		c.Close()
		runtime.KeepAlive(keys)
	}
}

func BenchmarkGet(b *testing.B) {
	c, err := memory.New(1 << 30)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	key := []byte("records\x00posts\x00abcdefghijklmno")
	c.Put(&cache.Fact{Key: string(key), Value: 1})
	b.ReportAllocs()
	for b.Loop() {
		if c.Get(key) == nil {
			b.Fatal("miss")
		}
	}
}
