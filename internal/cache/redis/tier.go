package redis

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
)

// Options are of a tier.
type Options struct {
	Config Config
	// Secret is the cluster's: servers with another one see nothing of each other.
	Secret []byte
	// TTL is how long an entry is kept, ± 10 %; 24 hours if not set. It is for
	// tidiness: an entry does not become false with time.
	TTL time.Duration
	// Wait bounds how long a request may wait for a server; 50 ms if not set. It
	// waits less where the database is fast.
	Wait time.Duration
	Log  *slog.Logger
}

// DefaultTTL is how long an entry is kept if nothing else is said.
const DefaultTTL = 24 * time.Hour

// lockSuffix makes the name of a claim from that of the key.
const lockSuffix = "+"

// Tier is a cache.Tier. See the package's comment.
type Tier struct {
	opts   Options
	names  *names
	packer *packer
	ring   atomic.Pointer[ring]
	cost   atomic.Int64 // of a fill from the database, ns, smoothed

	mu       sync.Mutex // one change of the servers at a time
	closed   bool
	retiring sync.WaitGroup

	forged, foreign, epoch, large atomic.Uint64
}

var (
	_ cache.Tier    = (*Tier)(nil)
	_ cache.Located = (*Tier)(nil)
)

// New makes a tier. It connects to nothing: servers that are down come when they
// come.
func New(o Options) (*Tier, error) {
	if o.TTL <= 0 {
		o.TTL = DefaultTTL
	}
	if o.Wait <= 0 {
		o.Wait = 50 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	n, seal, err := derive(o.Secret)
	if err != nil {
		return nil, err
	}
	p, err := newPacker(seal)
	if err != nil {
		return nil, err
	}
	t := &Tier{opts: o, names: n, packer: p}
	t.ring.Store(newRing(nil))
	t.SetServers(o.Config)
	return t, nil
}

// SetServers changes the servers: those that stay keep their connections, and
// only the keys of those that come or go move.
func (t *Tier) SetServers(c Config) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	old := t.ring.Load().servers
	var servers []*server
	for _, at := range c.Servers {
		i := slices.IndexFunc(old, func(s *server) bool { return s.at == at && s.config.login == c.login })
		if i >= 0 {
			servers = append(servers, old[i])
			continue
		}
		servers = append(servers, newServer(at, c, newBreaker(t.opts.Wait, &t.cost), t.packer.pack, t.opts.Log))
	}
	t.ring.Store(newRing(servers))
	for _, s := range old {
		if !slices.Contains(servers, s) {
			t.retiring.Go(s.close)
		}
	}
}

// Close ends all connections. From then on there is nothing in the tier.
func (t *Tier) Close() error {
	t.SetServers(Config{})
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.retiring.Wait()
	t.packer.close()
	return nil
}

// longest is more than an entry can take: its value, its tags and what is around them.
const longest = cache.MaxEntry + 1<<16

// get asks for an entry, and for no more of what lies in its place: whoever may write
// there does not decide how much memory a server takes for it.
func get(b rueidis.Builder, n name) rueidis.Completed {
	return b.Getrange().Key(n.text).Start(0).End(longest).Build()
}

// Get implements cache.Tier, in one round trip.
func (t *Tier) Get(ctx context.Context, epoch position.Epoch, key []byte) *cache.Entry {
	n := t.names.of(epoch, key)
	s := t.ring.Load().of(n)
	if s == nil {
		return nil
	}
	results := s.ask(ctx, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{get(b, n)}
	})
	if results == nil {
		return nil
	}
	return t.read(s, results[0], epoch, key)
}

// Claim implements cache.Tier, in one round trip: the claim first, so that who
// gets it sees what the one before him has put.
func (t *Tier) Claim(ctx context.Context, epoch position.Epoch, key []byte) (e *cache.Entry, mine bool) {
	n := t.names.of(epoch, key)
	s := t.ring.Load().of(n)
	if s == nil {
		return nil, true
	}
	results := s.ask(ctx, func(b rueidis.Builder) []rueidis.Completed {
		return []rueidis.Completed{
			b.Set().Key(n.text + lockSuffix).Value("").Nx().Px(cache.FillLock).Build(),
			get(b, n),
		}
	})
	if results == nil {
		return nil, true
	}
	// Anything but "it is there already" is not a reason to wait.
	mine = !rueidis.IsRedisNil(results[0].Error())
	return t.read(s, results[1], epoch, key), mine
}

// read opens the answer to get.
func (t *Tier) read(s *server, r rueidis.RedisResult, epoch position.Epoch, key []byte) *cache.Entry {
	data, err := r.AsBytes()
	if err != nil || len(data) == 0 { // nothing is there
		s.counts.misses.Add(1)
		if err != nil {
			s.refuse(err)
		}
		return nil
	}
	e, err := (*cache.Entry)(nil), errFormat
	if len(data) <= longest {
		e, err = t.packer.unpack(data, epoch, key)
	}
	if err == nil {
		s.counts.hits.Add(1)
		return e
	}
	s.counts.misses.Add(1)
	switch {
	case errors.Is(err, errEpoch):
		t.epoch.Add(1)
	case errors.Is(err, errFormat):
		t.foreign.Add(1)
	default:
		t.forged.Add(1)
	}
	return nil
}

// Put implements cache.Tier.
func (t *Tier) Put(e *cache.Entry) {
	if e.Took > 0 {
		smooth(&t.cost, e.Took)
	}
	if len(e.Value) > cache.MaxEntry {
		t.large.Add(1)
		t.Release(e.Epoch, []byte(e.Key))
		return
	}
	n := t.names.of(e.Epoch, []byte(e.Key))
	s := t.ring.Load().of(n)
	if s == nil {
		return
	}
	s.put(put{name: n, entry: e, ttl: t.opts.TTL})
}

// Release implements cache.Tier.
func (t *Tier) Release(epoch position.Epoch, key []byte) {
	n := t.names.of(epoch, key)
	if s := t.ring.Load().of(n); s != nil {
		s.put(put{name: n})
	}
}
