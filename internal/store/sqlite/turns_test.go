package sqlite

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pandobase/pando/internal/store"
)

// TestReadsComeBeforeTheyCompute: all who are there have asked for a read before the
// first of them computes. Otherwise nobody could tell how many there are.
func TestReadsComeBeforeTheyCompute(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const n = 3 // no more than there are readers
	for range 20 {
		var came, least atomic.Int64
		least.Store(n)
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				came.Add(1)
				if err := s.Read(t.Context(), func(store.Reader) error {
					least.Store(min(least.Load(), came.Load())) // one processor: nobody is in between
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if least.Load() == n {
			return
		}
	}
	// Now and then the scheduler has something else to do; but not each time.
	t.Errorf("the first read had always computed before all %d had come", n)
}
