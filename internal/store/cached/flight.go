package cached

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/pandobase/pando/internal/cache"
)

// flights lets one caller at a time fill a key. It is not x/sync's
// singleflight because a waiter must know whether the call it joined began
// before or after its own request.
type flights struct {
	mu    sync.Mutex
	calls map[string]*call // under way, by key
}

// call is one fill under way. fact and err are set before done is closed, by its maker:
// who leads it, or somebody who waits for it and has a place at the database sooner.
type call struct {
	wanted chan struct{} // closed when who leads waits for a place
	taken  atomic.Bool   // somebody is its maker
	done   chan struct{}
	fact   *cache.Fact
	err    error

	left    bool // err is of a client that has gone, and of nobody else
	refused bool // err is that there was no place for who led
}

// ended notes what came of it, for whom ctx is of. A database that does not answer in time
// ends in an error of a context too, and that is no reason to ask it again.
func (c *call) ended(ctx context.Context, fact *cache.Fact, err error) {
	c.fact, c.err, c.left = fact, err, err != nil && ctx.Err() != nil
}

// take tells whether the caller is to be the maker.
func (c *call) take() bool { return c.taken.CompareAndSwap(false, true) }

// join finds the call under way for key, or starts one that is the caller's to
// lead.
func (f *flights) join(key string) (c *call, mine bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c = f.calls[key]; c != nil {
		return c, false
	}
	c = &call{wanted: make(chan struct{}), done: make(chan struct{})}
	f.calls[key] = c
	return c, true
}

// leave ends a call.
func (f *flights) leave(key string, c *call) {
	f.mu.Lock()
	delete(f.calls, key)
	f.mu.Unlock()
	close(c.done)
}
