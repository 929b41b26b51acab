package lb

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/overload"
)

// Balancer is one load balancer.
type Balancer struct {
	cfg     Config
	log     *slog.Logger
	proxy   *httputil.ReverseProxy
	clients *clients

	roster     atomic.Pointer[roster]
	turn       atomic.Uint64 // of round robin
	queue      overload.Queue
	budget     budget
	hedgeAfter atomic.Int64 // ns; 0: not

	inflight, retries, hedges, shed, clientGone, refusedConns atomic.Int64
	passed, lent                                              atomic.Int64 // by the fast path: answers passed on, and requests left to the slow one
	own                                                       [len(ownCodes)]atomic.Int64

	running  atomic.Pointer[context.Context] // of Run; nil: not running
	tasks    sync.WaitGroup
	draining atomic.Bool
	farewell context.Context // ends when streams are to end
	sayBye   context.CancelFunc
	listed   sync.Once
	// unproxied: it was said that a header was missing.
	unproxied sync.Once
	list      chan struct{} // closed once upstreams are known

	mu      sync.Mutex // guards what follows
	members []*member
	leaving []*member // no longer told of, with requests under way
}

// New makes a balancer. Nothing runs before Run.
func New(cfg Config) (*Balancer, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	b := &Balancer{cfg: cfg.withDefaults(), list: make(chan struct{})}
	b.log = b.cfg.Log
	b.budget.now = time.Now
	b.farewell, b.sayBye = context.WithCancel(context.Background())
	b.clients = newClients(b.cfg.Limits)
	b.proxy = b.newProxy()
	b.roster.Store(&roster{typical: 0.001})
	return b, b.register()
}

// Handler answers requests of clients, for listeners of one's own. Run must be
// running: it follows the upstreams and their health.
func (b *Balancer) Handler() http.Handler { return http.HandlerFunc(b.handle) }

// begin starts what watches the upstreams, and waits for what the first probes say, for
// a moment.
func (b *Balancer) begin(ctx context.Context) {
	b.running.Store(&ctx)
	if b.cfg.Source != nil {
		b.tasks.Go(func() { b.follow(ctx) })
	} else {
		b.set(ctx, b.cfg.Upstreams)
	}
	b.tasks.Go(func() { b.monitor(ctx) })
	if !b.cfg.NoFastPath {
		b.tasks.Go(func() { b.sweep(ctx) })
	}

	wait, cancel := context.WithTimeout(ctx, firstProbes)
	defer cancel()
	select {
	case <-b.list:
	case <-wait.Done():
	}
	for _, m := range b.roster.Load().all {
		select {
		case <-m.asked:
		case <-wait.Done():
		}
	}
}

// firstProbes is how long the start waits to know the upstreams.
const firstProbes = time.Second

// end stops what begin started. Requests have been finished, or are cut off.
func (b *Balancer) end() {
	b.tasks.Wait()
	b.mu.Lock()
	members := append(append([]*member(nil), b.members...), b.leaving...)
	b.mu.Unlock()
	for _, m := range members {
		m.cancel()
		m.closePool()
	}
}

// ready tells why no requests should come here; "" if they should.
func (b *Balancer) ready() string {
	switch {
	case b.draining.Load():
		return "the load balancer is stopping"
	case b.running.Load() == nil:
		return "the load balancer is starting"
	case len(b.roster.Load().usable) == 0:
		return "no upstream is up"
	}
	return ""
}
