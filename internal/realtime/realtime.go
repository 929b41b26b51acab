// Package realtime tells connected clients what changes, for one server.
//
//	store ── commit ──▶ changes.Stream ──▶ deliver ──▶ groups ──▶ queues ──▶ clients
//	   └── before a delete ──▶ BeforeDelete, inside the transaction
//
// A client subscribes to topics (a collection or one record) with options. For
// each change, the subscriptions to its topics are put into groups whose members
// must get the same answer: same rule, same options, and the same values of
// everything that the rule reads of the request (group.go). Access is judged and
// the record encoded once per group, whatever the number of clients.
//
// Creates and updates are judged after the commit, by the database as it is then:
// if a rule asks for more than the record itself and the record is deleted
// meanwhile, only the event of the delete comes. A delete is judged after it
// as well if the deleted record is all it takes; if other records count, or have
// to be shown, that is done beforehand, by [Realtime.BeforeDelete], on the server that
// deletes. Another one shows what is left, and where other records decide who may know
// it tells nobody: afterwards they may say something else than they did.
//
// So an event can hold what is newer than its commit. Who gets it must not be older: when
// it has been made, the identities of those it is for are looked up again where the index
// knows of a later change of theirs, and if they have changed it is made anew (follow.go).
//
// There is one delivering goroutine (the stream's), so each client gets events
// in commit order, and one goroutine per client that empties its queue. A client
// that lets its queue fill up is cut off; it will come back and read again. So is one
// that may have missed something else (part.go), or whose identity cannot be looked up
// when that may have changed.
package realtime

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// Realtime is the [pando.Realtime] of one server. Its methods may be called at
// once.
type Realtime struct {
	tag    string
	store  store.Store
	clock  *position.Clock // nil: nothing tells of all changes
	encode Encoder
	log    *slog.Logger
	limits limits
	wait   time.Duration
	stop   func() // the stream
	pumps  sync.WaitGroup

	connected atomic.Int64 // clients; so that a change nobody waits for costs nothing

	mu         sync.RWMutex // guards what follows, and auth and subscriptions of each client
	clients    map[string]*client
	topics     map[string]map[*subscription]bool
	identities map[identity]map[*client]bool
	cost       int // of all subscriptions, bytes
	closed     bool

	filters filters
	counts  struct{ sent, slow atomic.Uint64 }
}

var _ pando.Realtime = (*Realtime)(nil)

// Config is what a [Realtime] is made of.
type Config struct {
	Store  store.Store
	Stream changes.Stream
	Encode Encoder
	// Clock has the index that knows of all changes to the store. nil: there is none, and
	// who is connected is looked up for each change.
	Clock *position.Clock
	// LeaseWait is how long an event waits for a lease of that index; 0 means 2 s.
	LeaseWait time.Duration
	// QueueEvents and QueueBytes bound what waits for one client; 0 means 4096
	// and 8 MB.
	QueueEvents int
	QueueBytes  int
	// SubscriptionBytes bounds the memory of all subscriptions together; 0 means
	// 64 MB.
	SubscriptionBytes int
	// Tag is what the ids of clients begin with: letters and digits by which the other
	// servers of a cluster know whose they are. "" if there are none.
	Tag string
	Log *slog.Logger // nil: nowhere
}

// Encoder writes rec as JSON, with the relations of expand, as the caller of
// req may see it.
type Encoder func(ctx context.Context, r store.Reader, req *pando.Request, rec *pando.Record, expand string) ([]byte, error)

type limits struct{ events, bytes, subscriptions int }

// Stats counts since the start.
type Stats struct {
	Clients       int    // connected now
	Subscriptions int    // of theirs
	Sent          uint64 // events put into queues
	Slow          uint64 // clients cut off because their queue was full
}

// New makes a Realtime and begins to follow the stream.
func New(c Config) *Realtime {
	if c.QueueEvents <= 0 {
		c.QueueEvents = 4096
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = 8 << 20
	}
	if c.SubscriptionBytes <= 0 {
		c.SubscriptionBytes = 64 << 20
	}
	if c.LeaseWait <= 0 {
		c.LeaseWait = 2 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Realtime{
		tag:   c.Tag,
		store: c.Store, clock: c.Clock, encode: c.Encode, log: c.Log, wait: c.LeaseWait,
		limits:     limits{c.QueueEvents, c.QueueBytes, c.SubscriptionBytes},
		clients:    map[string]*client{},
		topics:     map[string]map[*subscription]bool{},
		identities: map[identity]map[*client]bool{},
	}
	s.stop = c.Stream.Subscribe(s.deliver)
	return s
}

// Close ends every connection and stops following. It may be called twice.
func (s *Realtime) Close() error {
	s.stop()
	s.mu.Lock()
	s.closed = true
	all := make([]*client, 0, len(s.clients))
	for _, c := range s.clients {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
	s.pumps.Wait()
	return nil
}

// Stats counts now.
func (s *Realtime) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Stats{Clients: len(s.clients), Sent: s.counts.sent.Load(), Slow: s.counts.slow.Load()}
	for _, c := range s.clients {
		out.Subscriptions += len(c.subs)
	}
	return out
}

// deliver handles what one transaction committed. Whom it has changed is judged by what
// they are then; who is nobody any more hears of that transaction still.
func (s *Realtime) deliver(b changes.Batch) {
	if s.connected.Load() == 0 {
		return
	}
	// An event is an answer: nobody is told by what this server knew last.
	ctx := position.WithLease(context.Background(), s.wait)
	now := time.Now()
	s.partMissed(&b)
	s.follow(&b)
	if b.Catalog || b.Unlisted {
		s.recheckIdentities(ctx)
	}
	for i := range b.Changes {
		s.announce(ctx, &b, &b.Changes[i], now)
	}
	s.dismiss(&b)
}
