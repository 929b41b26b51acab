package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/lb"
	"github.com/pandobase/pando/internal/web"
)

// DefaultListen is where a balancer serves when nothing is said.
const DefaultListen = "127.0.0.1:8080"

// BalancerConfig says what a load balancer is made of: what `pando lb` takes.
type BalancerConfig struct {
	Listen    []string // addresses to serve on, host:port; none means 127.0.0.1:8080
	Admin     string   // address for operators; "" means 127.0.0.1:8091 or a free port; Off
	Upstreams []string // the web servers, host:port each; or
	Join      []string // private addresses of some servers of a cluster, which tell of all; or
	Database  string   // the PostgreSQL database of a cluster, whose servers are registered there

	ClusterSecret string // that of the cluster, for Join and Database

	// TLS has the balancer speak HTTPS, at TLS.HTTPS, instead of what Listen says; HTTP
	// is where plain HTTP is sent there, "" means :80. Dir is where certificates lie; ""
	// means pando_data.
	TLS       TLS
	HTTP, Dir string

	Policy        string   // least-loaded, the default, or round-robin
	ProbePath     string   // what says whether an upstream is ready; "" means /readyz
	ProxyFrom     []string // networks or addresses that may speak the PROXY protocol
	MaxConns      int      // connections of clients; 0 follows the limit of open files
	ClientConns   int      // connections of one client; 0 means 1,000
	ClientRate    int      // requests a second of one client; 0 means no limit
	NoFastPath    bool     // net/http serves all requests, also those that could do without
	AnswerTimeout time.Duration
	StopTimeout   time.Duration // for the requests under way when Run ends; 0 means 10 s
	Version       string
	Log           *slog.Logger // nil: slog.Default()

	// OnReady is called once the balancer answers; may be nil.
	OnReady func(BalancerInfo)
}

// BalancerInfo is what a running balancer tells of itself.
type BalancerInfo struct {
	URLs      []string // where it serves
	AdminURL  string   // "" if it is off
	Upstreams int
	Took      time.Duration
}

// Balancer is one load balancer.
type Balancer struct {
	cfg     BalancerConfig
	log     *slog.Logger
	lb      *lb.Balancer
	certs   *certs.Certificates    // nil: HTTPS is not spoken
	cluster *members               // nil: it knows none
	shared  *certs.SharedStorage   // of its certificates; nil: they are on disk
	id      string                 // of this process
	at      atomic.Pointer[string] // where it serves; nil until it does
	began   time.Time
	ready   func([]net.Addr) // set by Run
}

// NewBalancer checks the configuration. Nothing is opened before Run.
func NewBalancer(cfg BalancerConfig) (*Balancer, error) {
	b := &Balancer{cfg: cfg, log: cfg.Log, began: time.Now()}
	if b.log == nil {
		b.log = slog.Default()
	}
	c, err := cfg.balancer()
	if err != nil {
		return nil, err
	}
	if c.Source, err = cfg.source(b.log); err != nil {
		return nil, err
	}
	c.Log = b.log
	b.cluster, _ = c.Source.(*members)
	b.id = randomID()
	if cfg.TLS.on() {
		if err := b.secure(&c); err != nil {
			return nil, err
		}
		c.Registry.MustRegister(certificateMetrics{b.certs.Status})
	}
	c.OnReady = func(addrs []net.Addr) { b.ready(addrs) }
	b.lb, err = lb.New(c)
	return b, err
}

// Reload looks at the files of an own certificate again. All else is taken by the next
// one on the same address, which nobody notices.
func (b *Balancer) Reload() error {
	if b.certs == nil {
		return nil
	}
	return b.certs.Reload()
}

// balancer is the configuration of the package that does the work. This is the place
// where listeners get TLS, and where upstreams come from.
func (cfg BalancerConfig) balancer() (lb.Config, error) {
	c := lb.Config{
		Policy: lb.Policy(cfg.Policy), Version: cfg.Version, StopTimeout: cfg.StopTimeout,
		Health: lb.Health{ProbePath: cfg.ProbePath}, NoFastPath: cfg.NoFastPath,
		Limits: lb.Limits{
			Conns: cfg.MaxConns, ConnsPerClient: cfg.ClientConns, RatePerClient: cfg.ClientRate,
			AnswerTimeout: cfg.AnswerTimeout,
		},
		Registry: prometheus.NewRegistry(),
	}
	for _, address := range cfg.Upstreams {
		c.Upstreams = append(c.Upstreams, lb.Upstream{Address: address})
	}
	listen := cfg.Listen
	if len(listen) == 0 {
		listen = []string{DefaultListen}
	}
	for _, address := range listen {
		if err := checkListen("listen", address); err != nil {
			return c, err
		}
		c.Listen = append(c.Listen, lb.Listen{Address: address})
	}
	if cfg.Admin != "" && cfg.Admin != Off {
		if err := checkListen("admin", cfg.Admin); err != nil {
			return c, err
		}
	}
	for _, text := range cfg.ProxyFrom {
		network, err := parseNetwork(text)
		if err != nil {
			return c, pando.Invalid("--proxy-from: %q is neither an address nor a network: write for example 10.0.0.0/8.", text)
		}
		c.ProxyFrom = append(c.ProxyFrom, network)
	}
	return c, nil
}

func checkListen(flag, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		return pando.Invalid("--%s: %q is no address to listen on: write HOST:PORT with a port up to 65535, for example %s, or :8080 for all interfaces.", flag, addr, DefaultListen)
	}
	return nil
}

// parseNetwork reads a network, or an address as a network of one.
func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err
}

// garbage is how much the heap of a balancer may grow between two collections, in
// percent: hardly anything in it lives longer than a request, so it stays small.
const garbage = 400

// Run serves until ctx ends, then stops in order. It returns nil after a stop in good
// order.
func (b *Balancer) Run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	}
	admin, err := b.listenAdmin(ctx)
	if err != nil {
		return err
	}
	info := BalancerInfo{}
	if admin != nil {
		info.AdminURL = hostURL(admin.Addr())
		if beyondLoopback(admin.Addr()) {
			b.log.Warn("the admin listener asks nobody who they are and can be reached from other machines", "address", admin.Addr().String())
		}
		s := web.NewServer(b.admin(), b.log)
		s.WriteTimeout = 0 // profiles take as long as they are asked to
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := s.Serve(admin); !errors.Is(err, http.ErrServerClosed) {
				b.log.Error("the admin listener has failed", "error", err)
			}
		}()
		defer func() { s.Close(); <-done }()
	}
	if b.shared != nil {
		defer b.shared.Close()
	}
	if b.certs != nil {
		defer b.certs.Close()
	}
	b.ready = func(addrs []net.Addr) {
		for _, addr := range addrs {
			info.URLs = append(info.URLs, hostURL(addr))
		}
		at := addrs[0].String()
		b.at.Store(&at)
		if b.certs != nil { // the authority can be let in
			info.URLs = b.secureURLs(addrs)
			b.certs.Start()
		}
		info.Upstreams = len(b.lb.Status().Upstreams)
		info.Took = time.Since(b.began)
		if b.cfg.OnReady != nil {
			b.cfg.OnReady(info)
		}
	}
	err = b.lb.Run(ctx)
	var failed *lb.ListenError
	if errors.As(err, &failed) {
		return listenError("listen", failed.Address, failed.Err)
	}
	return err
}

func (b *Balancer) listenAdmin(ctx context.Context) (net.Listener, error) {
	if b.cfg.Admin == Off {
		return nil, nil
	}
	addr := b.cfg.Admin
	if addr == "" {
		addr = DefaultAdmin
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if b.cfg.Admin == "" && errors.Is(err, syscall.EADDRINUSE) {
		l, err = config.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, listenError("admin", addr, err)
	}
	return l, nil
}

// Status is what the balancer knows of itself and its upstreams, as JSON.
func (b *Balancer) Status() ([]byte, error) {
	out, err := b.lb.Status().JSON()
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return out, nil
}
