package redis_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pandobase/pando/internal/cache/cachetest"
	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

// BenchmarkHit is a fact from the tier: one round trip.
func BenchmarkHit(b *testing.B) {
	r := localclustertest.Redis(b, 1, localcluster.RedisOptions{})[0]
	tier := open(b, r.URL())
	for _, size := range []int{500, 5000} {
		key := fmt.Sprint("k", size)
		e := entry(key)
		e.Value = bytes.Repeat([]byte(`{"id":"abcdefghijklmno","title":"a title","n":123456},`), size/54)
		tier.Put(e)
		cachetest.Await(b, tier, epoch, key)
		get := func(b *testing.B) {
			if tier.Get(b.Context(), epoch, []byte(key)) == nil {
				b.Error("a miss")
			}
		}
		b.Run(fmt.Sprintf("one/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				get(b)
			}
		})
		b.Run(fmt.Sprintf("many/%d", size), func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					get(b)
				}
			})
		})
	}
}
