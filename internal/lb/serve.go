package lb

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ListenError is an address that cannot be listened on.
type ListenError struct {
	Address string
	Err     error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.Address, e.Err) }

// Unwrap is the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// Server is an http.Server for h with the balancer's limits.
func (b *Balancer) Server(h http.Handler) *http.Server {
	l := b.cfg.Limits
	return &http.Server{
		Handler:           b.first(h),
		ReadHeaderTimeout: max(l.HeaderTimeout, 0),
		IdleTimeout:       max(l.IdleTimeout, 0),
		MaxHeaderBytes:    l.HeaderBytes,
		ErrorLog:          debugLog(b.log),
		ConnContext:       connContext,
		ConnState:         noteIdle,
		// OPTIONS * is answered, but not without being counted and limited as any other.
		DisableGeneralOptionsHandler: true,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 250,
			SendPingTimeout:      time.Minute,
			WriteByteTimeout:     max(l.BodyTimeout, 0),
		},
	}
}

// first comes before h: it notes that a connection's first request has come, and answers
// what asks about the server as such.
func (b *Balancer) first(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r); c != nil {
			c.served()
		}
		if r.Method == http.MethodOptions && r.RequestURI == "*" {
			b.answerOptions(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func debugLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }

// Run serves until ctx ends, then stops in order: unready, each new connection closed
// after one answer, streams ended with a hint when to come back, requests under way
// finished. An address that cannot be listened on is a *ListenError.
func (b *Balancer) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer b.sayBye()
	defer b.end()
	defer cancel()
	b.begin(work)

	var doors []*door
	defer func() {
		for _, d := range doors {
			d.close()
		}
	}()
	failed := make(chan error, len(b.cfg.Listen))
	for _, l := range b.cfg.Listen {
		d, err := b.open(ctx, work, l)
		if err != nil {
			return &ListenError{l.Address, err}
		}
		doors = append(doors, d)
	}
	addrs := make([]net.Addr, len(doors))
	for i, d := range doors {
		addrs[i] = d.socket.Addr()
		d.begin()
		go func() { failed <- d.serve() }()
	}
	if b.cfg.OnReady != nil {
		b.cfg.OnReady(addrs)
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, b.stop(doors))
}

// stop ends the service in order.
func (b *Balancer) stop(doors []*door) error {
	b.log.Info("stopping", "bound", b.cfg.StopTimeout.String())
	b.draining.Store(true)
	b.sayBye()
	if b.cfg.DrainDelay > 0 {
		// Whoever was on the way here is still let in, and whoever is here is told with the
		// next answer that it was the last.
		time.Sleep(b.cfg.DrainDelay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.cfg.StopTimeout)
	defer cancel()
	done := make(chan error, len(doors))
	for _, d := range doors {
		go func() { done <- d.shutdown(ctx) }()
	}
	var cut bool
	for range doors {
		cut = <-done != nil || cut
	}
	if cut {
		return fmt.Errorf("stop: requests were still under way after %s and were cut off", b.cfg.StopTimeout)
	}
	return nil
}

// door is one address that is served.
type door struct {
	socket net.Listener // as the system has it
	guard  *guard       // what the server accepts from
	plain  *http.Server // HTTP/2 as well, on connections that speak it
	front  *front       // nil: the fast path is not for it
	cancel func()
}

func (b *Balancer) open(ctx, work context.Context, l Listen) (*door, error) {
	socket, err := b.listenOn(ctx, l.Address)
	if err != nil {
		return nil, err
	}
	b.tasks.Go(func() {
		if err := offer(work, socket, l.Address); err != nil {
			b.log.Warn("the next load balancer cannot take over the listening socket", "address", l.Address, "error", err)
		}
	})
	h := l.Handler
	if h == nil {
		h = b.Handler()
	}
	d := &door{socket: socket, guard: b.newGuard(socket, l.TLS), plain: b.Server(h)}
	base, cancel := context.WithCancel(work)
	d.cancel = cancel
	d.plain.BaseContext = func(net.Listener) context.Context { return base }
	if l.Handler == nil && !b.cfg.NoFastPath {
		d.front = newFront(b, d.guard, base)
	}
	return d, nil
}

// listenOn takes the socket over from the balancer that is to be replaced, or opens one.
func (b *Balancer) listenOn(ctx context.Context, address string) (net.Listener, error) {
	if _, port, err := net.SplitHostPort(address); err == nil && port != "0" {
		if socket, err := inherit(address); err == nil {
			b.log.Info("listening socket taken over", "address", address)
			return socket, nil
		}
	}
	config := net.ListenConfig{Control: reusePort, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Minute}}
	return config.Listen(ctx, "tcp", address)
}

// begin accepts connections, where it is not left to net/http.
func (d *door) begin() {
	if d.front != nil {
		d.guard.begin(d.front.start)
	} else {
		d.guard.begin(nil)
	}
}

// serve has net/http serve what it is given.
func (d *door) serve() error {
	if d.guard.tls != nil {
		d.plain.TLSConfig = d.guard.tls // by which net/http knows of HTTP/2
	}
	from := net.Listener(d.guard)
	if d.front != nil {
		from = d.front
	}
	err := d.plain.Serve(from)
	if errors.Is(err, http.ErrServerClosed) || d.guard.closed.Load() {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", d.socket.Addr(), err)
}

// freshWithin bounds how long the stop waits for the first request of connections that
// were accepted: some clients open one and say nothing.
const freshWithin = 2 * time.Second

// shutdown takes no more connections, and closes each once its request is answered.
// net/http closes a connection unanswered whose request it reads after Shutdown was
// called: those accepted just before are waited for.
func (d *door) shutdown(ctx context.Context) error {
	_ = d.guard.stop()
	d.firsts(ctx)
	var late error
	if d.front != nil {
		late = d.front.drain(ctx)
		d.firsts(ctx) // of what was lent meanwhile
	}
	err := d.plain.Shutdown(ctx)
	d.cancel() // tunnels end here
	if err != nil {
		d.plain.Close()
	}
	return errors.Join(late, err)
}

// firsts waits for requests of connections that have just been accepted, or lent.
func (d *door) firsts(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(freshWithin); d.guard.fresh.Load() > 0 && ctx.Err() == nil && time.Now().Before(end); {
		<-tick.C
	}
}

func (d *door) close() {
	d.cancel()
	d.guard.Close()
	if d.front != nil {
		d.front.close()
	}
	d.plain.Close()
	d.guard.cut()
	d.guard.busy.Wait()
}
