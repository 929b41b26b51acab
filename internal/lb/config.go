package lb

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
)

// Config says what a balancer is made of. What is zero takes its default.
type Config struct {
	Listen []Listen // where Run serves; none: the caller serves Handler

	Upstreams []Upstream // a fixed list, or
	Source    Source     // those that there are at present

	Policy Policy // "" is LeastLoaded
	Health Health
	Limits Limits

	// ProxyFrom are the networks of balancers in front of this one that tell the
	// client's address by the PROXY protocol. From anybody else it is refused.
	ProxyFrom []netip.Prefix

	// NoFastPath has net/http serve all connections, also those that could do without.
	NoFastPath bool

	// StopTimeout is how long requests under way may take when Run ends; 0 means 10 s.
	// Before that, for DrainDelay, new connections are still taken, each for one
	// request; 0 means a second, below 0 none.
	StopTimeout time.Duration
	DrainDelay  time.Duration

	// OnReady is called once Run serves, with the addresses of Listen in their order;
	// may be nil.
	OnReady func([]net.Addr)

	Version  string
	Log      *slog.Logger         // nil: slog.Default()
	Registry *prometheus.Registry // nil: one of its own
}

// Listen is one address to serve on.
type Listen struct {
	Address string      // host:port
	TLS     *tls.Config // nil: plain HTTP; else HTTP/2 and HTTP/1.1 over TLS
	// Handler answers instead of the balancer's own if it is not nil: for an address
	// that only redirects, and answers the challenges of a certificate authority.
	Handler http.Handler
}

// Policy is how an upstream is chosen.
type Policy string

// The policies.
const (
	LeastLoaded Policy = "least-loaded" // the better of two random ones, by requests in flight, latency and reported load
	RoundRobin  Policy = "round-robin"  // one after the other
)

// Health says how upstreams are watched.
type Health struct {
	ProbePath    string        // asked for with GET; "" is /readyz
	Interval     time.Duration // between two probes of an upstream; 0 is 500 ms
	ProbeTimeout time.Duration // 0 is a second
	// Silence is how long an upstream that owes an answer may send nothing before it is
	// asked whether it is there, and how long it then has to say so; 0 is 250 ms.
	Silence time.Duration
	Ramp    time.Duration // a new or returning upstream takes this long to its full share; 0 is 3 s, below 0 none
	Eject   time.Duration // the first ejection lasts this long, each further one twice as long; 0 is a second
}

// Limits bound what clients and upstreams may take. Below 0 a limit is off.
type Limits struct {
	Conns          int           // of clients together; 0 follows the limit of open files
	ConnsPerClient int           // of one address (IPv6: one /64); 0 is 1,000
	RatePerClient  int           // requests a second of one address; 0 is off
	HeaderBytes    int           // 0 is 64 KB
	HeaderTimeout  time.Duration // from a connection's or request's first byte to its last header; 0 is 10 s
	BodyTimeout    time.Duration // without a byte of a body, either way; 0 is 30 s
	IdleTimeout    time.Duration // of a kept-alive client connection; 0 is 3 min
	AnswerTimeout  time.Duration // from the request to the answer's header; 0 is 60 s
	DialTimeout    time.Duration // 0 is a second
	QueueTimeout   time.Duration // most that a request waits for a place at an upstream; 0 is 500 ms
}

// Defaults.
const (
	DefaultProbePath = "/readyz"
	defaultStop      = 10 * time.Second
	defaultDrain     = time.Second
)

// Check finds what cannot be right. Its errors say what to do.
func (c Config) Check() error {
	if c.Source == nil && len(c.Upstreams) == 0 {
		return pando.Invalid("There is no upstream: name the web servers with --upstream HOST:PORT,HOST:PORT.")
	}
	if c.Source != nil && len(c.Upstreams) > 0 {
		return pando.Invalid("Upstreams are both listed and to be found: use one of both.")
	}
	seen := map[string]bool{}
	for _, u := range c.Upstreams {
		if _, port, err := net.SplitHostPort(u.Address); err != nil || port == "" {
			return pando.Invalid("--upstream: %q is no address: write HOST:PORT, for example 10.0.0.2:8090.", u.Address)
		}
		if seen[u.id()] {
			return pando.Invalid("--upstream: %s is there twice: name each server once.", u.Address)
		}
		seen[u.id()] = true
	}
	switch c.Policy {
	case "", LeastLoaded, RoundRobin:
	default:
		return pando.Invalid("--policy: %q is not known: write %s or %s.", c.Policy, LeastLoaded, RoundRobin)
	}
	if p := c.Health.ProbePath; p != "" && !strings.HasPrefix(p, "/") {
		return pando.Invalid("--probe-path: %q is no path: write for example /readyz.", p)
	}
	return nil
}

func (c Config) withDefaults() Config {
	or(&c.Policy, LeastLoaded)
	or(&c.Health.ProbePath, DefaultProbePath)
	or(&c.Health.Interval, 500*time.Millisecond)
	or(&c.Health.ProbeTimeout, time.Second)
	or(&c.Health.Silence, 250*time.Millisecond)
	or(&c.Health.Ramp, 3*time.Second)
	or(&c.Health.Eject, time.Second)
	or(&c.Limits.Conns, defaultConns())
	or(&c.Limits.ConnsPerClient, 1000)
	or(&c.Limits.HeaderBytes, 64<<10)
	or(&c.Limits.HeaderTimeout, 10*time.Second)
	or(&c.Limits.BodyTimeout, 30*time.Second)
	or(&c.Limits.IdleTimeout, 3*time.Minute)
	or(&c.Limits.AnswerTimeout, time.Minute)
	or(&c.Limits.DialTimeout, time.Second)
	or(&c.Limits.QueueTimeout, 500*time.Millisecond)
	or(&c.StopTimeout, defaultStop)
	or(&c.DrainDelay, defaultDrain)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	return c
}

func or[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
