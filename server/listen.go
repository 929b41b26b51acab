package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/deadline"
	"github.com/pandobase/pando/internal/web"
)

// listeners are the addresses that a running server answers on.
type listeners struct {
	public, admin net.Listener // admin is nil if it is off
	plain         net.Listener // of plain HTTP, where public is of HTTPS; else nil
}

// close is for listeners that nobody serves yet.
func (l listeners) close() {
	for _, one := range []net.Listener{l.public, l.plain, l.admin} {
		if one != nil {
			one.Close()
		}
	}
}

func (s *Server) run(ctx context.Context) error {
	handler, err := s.handler()
	if err != nil {
		return err
	}
	l, err := s.listen(ctx)
	if err != nil {
		return err
	}
	if err := s.secure(&l); err != nil {
		l.close()
		return err
	}
	defer s.watch(ctx, handler, l.public.Addr().String())()
	public := web.NewServer(handler, s.log)
	failed := make(chan error, 5)
	go func() { failed <- serve(public, l.public) }()
	servers := []*http.Server{public}
	if c := s.certs.Load(); c != nil {
		plain := web.NewServer(c.Plain(), s.log)
		go func() { failed <- serve(plain, l.plain) }()
		defer plain.Close()
		c.Start()
		defer c.Close()
	}
	var control *http.Server
	if door := s.door(); door != nil {
		private := web.NewServer(handler.Behind(), s.log)
		control = web.NewServer(s.control(handler), s.log)
		control.ConnContext = cluster.WithCaller
		servers = append(servers, private)
		go func() { failed <- serve(private, door.HTTP()) }()
		go func() { failed <- serve(control, door.Control()) }()
	}
	var admin *http.Server
	if l.admin != nil {
		admin = web.NewServer(handler.Admin(), s.log)
		admin.WriteTimeout = 0 // profiles take as long as they are asked to
		go func() { failed <- serve(admin, l.admin) }()
	}
	s.announce(ctx, l)
	moving := s.moveAway(ctx, handler)
	defer moving()

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.log.Info("stopping", "bound", s.cfg.StopTimeout.String())
	handler.Drain()
	s.withdraw(handler)
	handler.CloseStreams()
	err = errors.Join(err, stop(s.cfg.StopTimeout, servers...))
	if control != nil {
		// The others keep connections here that they may not have used; a server waits
		// five seconds for those. Whoever asks for itself asks another one.
		_ = stop(controlStop, control)
	}
	if admin != nil {
		admin.Close()
	}
	return err
}

// controlStop is how long what the others ask for may take when everything else is over.
const controlStop = 500 * time.Millisecond

func serve(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	}
	return nil
}

// stop ends servers: no new connections at once, those with a request under way
// after at most bound.
func stop(bound time.Duration, servers ...*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	var late atomic.Bool
	var all sync.WaitGroup
	for _, server := range servers {
		all.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				server.Close()
				late.Store(true)
			}
		})
	}
	all.Wait()
	if late.Load() {
		return fmt.Errorf("stop: requests were still under way after %s and were cut off", bound)
	}
	return nil
}

// door is where load balancers come in; nil: there are none.
func (s *Server) door() *cluster.Door {
	if m := s.parts.store.member; m != nil {
		return m.door
	}
	return nil
}

func (s *Server) listen(ctx context.Context) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	var config net.ListenConfig
	public := func(flag, address string) (net.Listener, error) {
		l, err := config.Listen(ctx, "tcp", address)
		if err != nil {
			return nil, listenError(flag, address, err)
		}
		return deadline.Listener(l), nil
	}
	if l.public, err = public("http", s.cfg.HTTP); err != nil {
		return l, err
	}
	if s.cfg.TLS.on() {
		l.plain, l.public = l.public, nil
		if l.public, err = public("https", s.cfg.TLS.HTTPS); err != nil {
			return l, err
		}
	}
	if s.cfg.Admin == Off {
		return l, nil
	}
	addr := s.cfg.Admin
	if addr == "" {
		addr = DefaultAdmin
	}
	l.admin, err = config.Listen(ctx, "tcp", addr)
	if s.cfg.Admin == "" && errors.Is(err, syscall.EADDRINUSE) {
		// Nobody asked for this very port: another server on this machine has it.
		l.admin, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return l, listenError("admin", addr, err)
	}
	return l, nil
}

func listenError(flag, addr string, err error) error {
	e := &pando.Error{Kind: pando.KindUnavailable, Err: err}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Message = fmt.Sprintf("The address %s is in use by another program: stop it, or choose another address with --%s HOST:PORT.", addr, flag)
	case errors.Is(err, syscall.EACCES):
		e.Message = fmt.Sprintf("This user may not listen on %s (ports below 1024 need the right CAP_NET_BIND_SERVICE: deploy/systemd gives it): give it, or choose another address with --%s HOST:PORT.", addr, flag)
	default:
		e.Message = fmt.Sprintf("Cannot listen on %s: choose another address with --%s HOST:PORT.", addr, flag)
	}
	return e
}

// announce tells the world that the server answers.
func (s *Server) announce(ctx context.Context, l listeners) {
	info := Info{
		URL: hostURL(l.public.Addr()), Dir: s.dir, Database: MaskDatabase(s.cfg.Database), Files: s.parts.blobs.address,
		CacheSize: s.limits.cache, Readers: s.limits.readers, Took: time.Since(s.began),
	}
	if c := s.certs.Load(); c != nil {
		info.Domains = c.Domains()
		info.URL = secureURL(info.Domains[0], port(l.public.Addr()))
	}
	if l.admin != nil {
		info.AdminURL = hostURL(l.admin.Addr())
		if beyondLoopback(l.admin.Addr()) {
			s.log.Warn("the admin listener asks nobody who they are and can be reached from other machines", "address", l.admin.Addr().String())
		}
	}
	if s.cfg.indirect() {
		info.Private = s.parts.store.member.self.Address
		if beyondLoopback(l.public.Addr()) {
			s.log.Warn("the address of --http answers health checks only, since this server is one of a cluster: leave --http out, or give --direct",
				"address", l.public.Addr().String())
		}
	} else if l.plain == nil && beyondLoopback(l.public.Addr()) {
		s.log.Warn("serving without TLS to other machines: name your domain, pando serve app.example.com; or put a proxy with TLS in front, and name its header in the setting trustedProxy",
			"address", l.public.Addr().String())
	}
	if err := s.lock.tell(info.URL, s.began); err != nil {
		s.log.Warn("cannot write who serves", "error", err)
	}
	token, err := s.parts.superusers.InstallToken(ctx)
	switch {
	case err == nil:
		info.InstallURL = info.URL + "/_/install/" + token
		if s.cfg.indirect() {
			info.InstallURL = "http://LOAD-BALANCER/_/install/" + token
		}
	case pando.KindOf(err) != pando.KindForbidden: // there is no superuser, yet no link either
		s.log.Warn("no install link", "error", err)
	}
	if s.cfg.OnReady != nil {
		s.cfg.OnReady(info)
	}
}

// beyondLoopback tells whether other machines can reach an address.
func beyondLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && !tcp.IP.IsLoopback()
}
