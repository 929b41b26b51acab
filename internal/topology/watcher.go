package topology

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando/internal/position"
)

// Watcher watches hosts until it is closed. Its methods may be called at once.
type Watcher struct {
	cfg   Config
	state atomic.Pointer[State]

	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	results  chan result
	setHosts chan []string

	mu sync.Mutex // of what follows, which only judge's goroutine writes
	judged
}

// judged is what the watcher knows.
type judged struct {
	hosts    []*host
	system   uint64
	timeline uint32 // of the last primary
	flush    position.N
	earlier  position.N // flush of the primary, as it was a probe before the last
	history  position.History
	primary  *host   // nil: none
	conflict []*host // that claim to be it, when they are several
	replicas []*Member
	top      uint32 // the highest timeline that a host has named
	first    bool
	told     told
}

// host is one address.
type host struct {
	name string
	poke chan struct{} // one token: probe now
	stop context.CancelFunc

	member atomic.Pointer[Member] // the present life

	// Only judge's goroutine touches these.
	contact contact
	since   time.Time     // of contact
	err     error         // why it cannot be reached
	waited  time.Duration // for an answer, where it is silent
	known   bool          // report is set
	report  Report        // the last one
	used    bool          // the member is in the State
	refused string        // why it is not
	told    hostTold
}

// contact is how the last probe of a host ended.
type contact uint8

const (
	unheard contact = iota
	answers
	silent
	unreachable
)

func (h *host) pokeNow() {
	select {
	case h.poke <- struct{}{}:
	default:
	}
}

// New begins to watch.
func New(cfg Config) *Watcher {
	if cfg.Every <= 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Deadline <= 0 {
		cfg.Deadline = defaultDeadline
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{cfg: cfg, results: make(chan result), setHosts: make(chan []string)}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.system = cfg.System
	w.state.Store(&State{changed: make(chan struct{})})
	w.watch(cfg.Hosts)
	w.running.Go(w.judgeAll)
	return w
}

// State is who is what now.
func (w *Watcher) State() *State { return w.state.Load() }

// WaitPrimary waits until there is a primary that answers. When ctx ends before,
// the error says why there is none.
func (w *Watcher) WaitPrimary(ctx context.Context) (*Member, error) {
	for {
		s := w.State()
		if m := s.Primary(); m != nil {
			return m, nil
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			if why := w.Status().Problem; why != "" {
				return nil, errors.New(why)
			}
			return nil, ctx.Err() // there is one since this moment
		case <-w.ctx.Done():
			return nil, errClosed
		}
	}
}

// WaitFirst waits until every host has been heard or was found silent or
// unreachable once, which takes no longer than the deadline.
func (w *Watcher) WaitFirst(ctx context.Context) error {
	for {
		s := w.State()
		if s.first {
			return nil
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ctx.Done():
			return errClosed
		}
	}
}

var errClosed = errors.New("topology: the watcher is closed")

// SetHosts replaces the hosts: new ones are watched at once, and those that are
// not named any more are gone.
func (w *Watcher) SetHosts(hosts []string) {
	select {
	case w.setHosts <- slices.Clone(hosts):
	case <-w.ctx.Done():
	}
}

// Close ends the watch, and the life of every member.
func (w *Watcher) Close() {
	w.cancel()
	w.running.Wait()
}
