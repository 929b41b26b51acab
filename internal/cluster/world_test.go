package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// world is a database with its log, and servers on machines that can be frozen, killed
// and cut off. A checker looks at all servers every millisecond: see check_test.go.
type world struct {
	t       *testing.T
	verbose bool

	keepBytes int // of servers that are started from now on

	mu    sync.Mutex
	epoch position.Epoch
	flush position.N
	// unwritten is how much of it the primary has not on disk yet.
	unwritten position.N
	log       []changes.Entry // of the epoch
	running   map[uint64]bool // transactions that no view shows yet
	shown     map[position.N]int64
	xid       uint64
	down      bool        // no primary
	waits     atomic.Bool // commits wait for a standby
	rows      map[string]Member
	asked     int // for rows
	tailer    Tailer
	flushes   []flushed                     // the last ones
	hidden    map[position.Epoch]position.N // the first commit of an epoch that was never shown
	grown     chan struct{}                 // closed when the log grows or ends
	opens     int
	instance  uint64   // of the primary's run
	copied    uint64   // the first run of an older copy; 0: it is none
	took      []string // who became the tailer

	machines []*machine
	cables   []*cable
	born     time.Time
	past     map[position.Epoch][]changes.Entry
	checker
}

// machine is where a server runs.
type machine struct {
	w        *world
	id       string
	boots    int
	rate     float64 // of its clock
	node     *Node
	clock    *position.Clock
	stop     context.CancelFunc
	done     chan struct{}
	accept   chan net.Conn
	closed   chan struct{}
	lives    *life
	applyErr func() error
	got      []changes.Entry // delivered
}

// life is what a server needs of the world while it lives.
type life struct {
	frozen, dead, offline atomic.Bool  // offline: the database cannot be reached
	refuses               atomic.Bool  // it lets nobody in, though it lives
	lag                   atomic.Int64 // of its log, nanoseconds
	slow                  atomic.Int64 // how late it hears whether it still is the tailer, nanoseconds
	wake                  chan struct{}
	mu                    sync.Mutex
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, epoch: position.Epoch{Database: 7, Timeline: 1}, flush: 1000,
		running: map[uint64]bool{}, shown: map[position.N]int64{}, xid: 100,
		rows: map[string]Member{}, hidden: map[position.Epoch]position.N{}, grown: make(chan struct{}),
		born: time.Now(), past: map[position.Epoch][]changes.Entry{},
	}
	w.verbose = os.Getenv("PANDO_TRACE") != ""
	return w
}

// start boots a server.
func (w *world) start(id string) *machine { return w.startAt(id, 1) }

// startAt boots one whose clock, if it is new, runs at that rate.
func (w *world) startAt(id string, rate float64) *machine {
	for _, m := range w.machines {
		if m.id == id {
			m.boot()
			return m
		}
	}
	m := &machine{w: w, id: id, rate: rate}
	w.mu.Lock()
	w.machines = append(w.machines, m)
	w.mu.Unlock()
	m.boot()
	return m
}

func (m *machine) boot() {
	w := m.w
	m.boots++
	l := &life{wake: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	clock := position.NewClock(position.NewStreamIndex(position.Epoch{}, 0, 1), 2*time.Second)
	accept, closed := make(chan net.Conn), make(chan struct{})
	w.mu.Lock()
	m.lives, m.clock, m.stop, m.done, m.accept, m.closed = l, clock, stop, make(chan struct{}), accept, closed
	m.got = nil
	w.mu.Unlock()
	cfg := Config{
		Clock: clock, Registry: &registry{w, l}, Database: &database{w, l},
		Self:      Member{ID: m.id, Boot: fmt.Sprint(m.id, m.boots), Address: m.id},
		Transport: &wires{m: m, accept: accept, closed: closed},
		Slots:     64,
		KeepBytes: w.keepBytes,
		BootTime:  func() int64 { return 1e12 + int64(float64(time.Since(w.born))*m.rate) },
		Apply: func(_ context.Context, _ []changes.Entry) error {
			if m.applyErr != nil {
				return m.applyErr()
			}
			return nil
		},
		Deliver: func(_ position.Run, e changes.Entry) { w.delivered(m, e) },
	}
	if w.verbose {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("on", m.id)
	}
	cfg.Restored = w.reincarnate
	cfg.grant = func(x *position.Index, until int64) {
		left := float64(until-cfg.BootTime()) / m.rate // by the world's clock
		clock.Grant(x, position.BootTime()+int64(left))
	}
	m.node = New(cfg)
	node, done := m.node, m.done
	go func() {
		defer close(done)
		node.Run(ctx)
	}()
}

// halt stops a server in order.
func (m *machine) halt() {
	m.stop()
	<-m.done
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.lives.dead.Store(true)
}

// kill ends a server as SIGKILL does.
func (m *machine) kill() {
	m.lives.dead.Store(true)
	m.w.mu.Lock()
	select {
	case <-m.closed:
	default:
		close(m.closed)
	}
	for _, c := range m.ends() {
		c.c.set(func() { c.c.ended[c.i] = true })
	}
	m.w.mu.Unlock()
	m.lives.notify()
	m.stop()
	<-m.done
}

// freeze stops a server as SIGSTOP does, as far as others can see it.
func (m *machine) freeze() { m.frozen(true) }

// thaw lets it go on.
func (m *machine) thaw() { m.frozen(false) }

func (m *machine) frozen(yes bool) {
	m.lives.frozen.Store(yes)
	m.w.mu.Lock()
	for _, e := range m.ends() {
		e.c.set(func() { e.c.still[e.i] = yes })
	}
	m.w.mu.Unlock()
	m.lives.notify()
}

// cut makes the way between two servers carry nothing, without telling them.
func (w *world) cut(a, b *machine, yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.allEnds {
		if c[0].node == a && c[1].node == b || c[0].node == b && c[1].node == a {
			c[0].c.set(func() { c[0].c.mute = yes })
		}
	}
	if yes {
		w.cuts = append(w.cuts, [2]*machine{a, b}, [2]*machine{b, a})
	} else {
		w.cuts = nil
	}
}

// ends of its present connections; w is locked.
func (m *machine) ends() (list []*cableEnd) {
	for _, c := range m.w.allEnds {
		for _, e := range c {
			if e.node == m && e.life == m.lives {
				list = append(list, e)
			}
		}
	}
	return list
}

func (l *life) notify() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.wake)
	l.wake = make(chan struct{})
}

// pass waits while the server is frozen, and fails if it cannot reach the database.
func (l *life) pass(ctx context.Context) error {
	for {
		l.mu.Lock()
		wake := l.wake
		l.mu.Unlock()
		switch {
		case l.dead.Load():
			return errors.New("dead")
		case l.offline.Load():
			return errors.New("the database cannot be reached")
		case !l.frozen.Load():
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			// A frozen process does not notice.
			if !l.frozen.Load() || l.dead.Load() {
				return ctx.Err()
			}
			<-wake
		}
	}
}

// wires is a server's transport.
type wires struct {
	m      *machine
	accept chan net.Conn
	closed chan struct{}
}

func (t *wires) Dial(ctx context.Context, to Member) (net.Conn, error) {
	w := t.m.w
	w.mu.Lock()
	var other *machine
	for _, m := range w.machines {
		if m.id == to.Address {
			other = m
		}
	}
	if other == nil || other.lives.dead.Load() || other.lives.refuses.Load() {
		w.mu.Unlock()
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	a, b := newCable()
	a.node, a.life, b.node, b.life = t.m, t.m.lives, other, other.lives
	a.c.still = [2]bool{a.life.frozen.Load(), b.life.frozen.Load()}
	cut := slices.Contains(w.cuts, [2]*machine{t.m, other})
	accept, closed := other.accept, other.closed
	if !cut {
		w.allEnds = append(w.allEnds, [2]*cableEnd{a, b})
	}
	w.mu.Unlock()
	if cut {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case accept <- b:
		return a, nil
	case <-closed:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *wires) Accept() (net.Conn, error) {
	select {
	case c := <-t.accept:
		return c, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

func (t *wires) Verify(_ context.Context, c net.Conn) (string, net.Conn, error) {
	e := c.(*cableEnd)
	t.m.w.mu.Lock()
	defer t.m.w.mu.Unlock()
	for _, ends := range t.m.w.allEnds {
		if ends[1] == e {
			return ends[0].node.id, c, nil
		}
	}
	return "", nil, errors.New("nobody")
}

func (t *wires) Close() error {
	t.m.w.mu.Lock()
	defer t.m.w.mu.Unlock()
	select {
	case <-t.closed:
	default:
		close(t.closed)
	}
	return nil
}
