package localcluster

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Relay is a TCP proxy on a loopback port, and the network between a client and
// a server: it can be cut, slowed, made silent, listened to and counted. If its
// target refuses a connection, the client is reset.
type Relay struct {
	port *Port
	opts Options // of the server behind it, for URL

	mu      sync.Mutex
	ln      net.Listener
	target  string
	delay   time.Duration
	silent  bool
	watch   func(Chunk) bool
	changed chan struct{} // closed by the next change of the above
	conns   map[*link]bool
	closed  bool

	accepted, turns, up, down atomic.Int64
}

// Chunk is what came at once from one side of a connection.
type Chunk struct {
	Conn int64 // of the relay's connections the how many-eth, from 1
	Up   bool  // from the client to the server
	Data []byte
}

// NewRelay listens for connections to target, host:port.
func NewRelay(target string) (*Relay, error) {
	port, err := ReservePort()
	if err != nil {
		return nil, err
	}
	r := &Relay{port: port, target: target, changed: make(chan struct{}), conns: map[*link]bool{}}
	if err := r.Up(); err != nil {
		port.Release()
		return nil, err
	}
	return r, nil
}

// Addr is where it listens.
func (r *Relay) Addr() string { return r.port.Addr() }

// URL is a database's, through the relay.
func (r *Relay) URL(db, user string) string {
	return dbURL(r.Addr(), db, user, r.opts.passwordOf(user))
}

// Target sends new connections elsewhere; those that are open stay.
func (r *Relay) Target(addr string) { r.change(func() { r.target = addr }) }

// Delay passes every byte on d later, in both directions. Bandwidth is as it was.
func (r *Relay) Delay(d time.Duration) { r.change(func() { r.delay = d }) }

// Silence makes a black hole: connections are accepted and stay open, and no
// byte comes through, until Heal.
func (r *Relay) Silence() { r.change(func() { r.silent = true }) }

// Watch has f see each chunk before it is passed on; if it answers false, the
// connection is reset in its stead. So a test loses a request, or an answer,
// exactly where it wants. f is called for several connections at once.
func (r *Relay) Watch(f func(Chunk) bool) { r.change(func() { r.watch = f }) }

// Cut resets the connections that are open now. New ones are welcome.
func (r *Relay) Cut() {
	r.mu.Lock()
	open := slices.Collect(maps.Keys(r.conns))
	r.mu.Unlock()
	for _, l := range open {
		l.reset()
	}
}

// Down cuts, and refuses new connections, until Up or Heal.
func (r *Relay) Down() {
	r.mu.Lock()
	if r.ln != nil {
		_ = r.ln.Close()
		r.ln = nil
	}
	r.mu.Unlock()
	r.Cut()
}

// Up accepts connections again.
func (r *Relay) Up() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ln != nil || r.closed {
		return nil
	}
	ln, err := net.Listen("tcp", r.port.Addr())
	if err != nil {
		return fmt.Errorf("localcluster: relay to %s: %w", r.target, err)
	}
	r.ln = ln
	go r.accept(ln)
	return nil
}

// Heal ends delay, silence, watch and being down.
func (r *Relay) Heal() error {
	r.change(func() { r.delay, r.silent, r.watch = 0, false, nil })
	return r.Up()
}

// Close ends the relay and its connections.
func (r *Relay) Close() {
	r.change(func() { r.closed = true })
	r.Down()
	r.port.Release()
}

// Accepted is how many connections came.
func (r *Relay) Accepted() int64 { return r.accepted.Load() }

// Open is how many are open.
func (r *Relay) Open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// Turns is how often a client spoke after it had been spoken to, or first:
// the round trips it took, of all connections.
func (r *Relay) Turns() int64 { return r.turns.Load() }

// Bytes is what passed to the server, and what to clients.
func (r *Relay) Bytes() (up, down int64) { return r.up.Load(), r.down.Load() }

func (r *Relay) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

// weather is what a connection goes through at the moment, and the signal that it has changed.
func (r *Relay) weather() (w weather) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return weather{r.target, r.delay, r.silent, r.watch, r.changed}
}

type weather struct {
	target  string
	delay   time.Duration
	silent  bool
	watch   func(Chunk) bool
	changed <-chan struct{}
}

func (r *Relay) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return // Down, or Close
		}
		l := &link{relay: r, number: r.accepted.Add(1), client: conn.(*net.TCPConn), over: make(chan struct{})}
		r.mu.Lock()
		r.conns[l] = true
		late := r.ln != ln // Down came between: its Cut did not see this one
		r.mu.Unlock()
		if late {
			l.reset()
			continue
		}
		go l.serve()
	}
}
