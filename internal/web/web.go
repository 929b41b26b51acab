// Package web is the HTTP edge: it turns requests into calls of the services in
// the root package and their answers into responses. It decides nothing about
// records.
//
// Start at routes.go, the whole API surface. A request passes ServeHTTP (CORS,
// headers every response has), the mux, and call.run (address, rate limit, who
// asks, access), then one handler, which answers or returns an error; errors.go
// alone maps errors to responses.
package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// Config is what the edge is made of. The services are needed; the rest may be
// left at its zero value.
type Config struct {
	Records     pando.Records
	Collections pando.Collections
	Auth        pando.Auth
	Files       pando.Files
	Realtime    pando.Realtime
	Settings    pando.SettingsService

	// Collection finds a definition by id or name, nil if there is none. It is
	// asked for body limits and rate limits only.
	Collection func(ref string) *pando.Collection
	// PickFields keeps of a JSON answer what a fields parameter names.
	PickFields func(json []byte, fields string) ([]byte, error)

	// Elsewhere sends a request to the server of the cluster that has the realtime
	// client of that id; without an answer nor an error there is none. nil: there are no
	// others.
	Elsewhere func(r *http.Request, clientID string) (*http.Response, error)

	// Positions are what clients may keep of the database; nil: they cannot.
	Positions *Positions

	// BodyMemory is what submitted bodies may take, all together, in bytes; 0
	// means 256 MB.
	BodyMemory int64

	// OverloadLatency is how long requests may come to take before some are refused,
	// because there are more than can be answered; 0: [DefaultOverloadLatency]; below 0:
	// none is refused.
	OverloadLatency time.Duration

	Installer Installer // makes the first superuser; nil: no install page
	PublicDir string    // static files; "" or a directory that is not there: none
	Pages     Pages     // server-rendered pages; nil: none
	Origins   []string  // allowed CORS origins; empty means all

	// Indirect refuses what did not come through a load balancer, by way of
	// [Handler.Behind].
	Indirect bool

	Version string
	Ready   func() error // nil error: the parts below can serve
	// Age is how old answers may be, since the database has no primary at the
	// moment: 0 when they are what they should be; nil: they always are.
	Age func() time.Duration
	// Turns counts how often they came to be so.
	Turns func() uint64
	// System is what GET /api/system shows: the whole of it.
	System func(ctx context.Context) (any, error)
	// Await waits until this server knows of all that was answered by now: settings,
	// collections and rules are looked up without asking the database. nil: it always does.
	Await func(ctx context.Context) error
	// LeaseWait is how long a request that changes something waits until this server
	// hears of the others' changes, where reads need not (see [position.WithLease]): who
	// makes it may have lost the right to. 0: it needs not either, for there are no others.
	LeaseWait time.Duration
	// InForce waits until all servers go by the settings, collections and rules that
	// this one goes by now, or by newer ones: an answer is sent after that. nil: they
	// always do.
	InForce  func(ctx context.Context) error
	Status   func() map[string]any // facts for /readyz?verbose
	Registry *prometheus.Registry  // nil: one of its own
	Log      *slog.Logger          // nil: none
	Extra    []Route               // routes of library users
}

// Positions is what the edge must know of the database to give positions to
// clients and take them back.
type Positions struct {
	Key   position.Key
	Judge func(context.Context, position.Token) position.Verdict // of those signed by Key; it may ask the database
	Void  func(context.Context, position.Token) bool             // whether a failover has taken back what it stands for; as Judge
	// Seen fails if the client of ctx has seen more than this server can know, rules
	// included; nil: it never has.
	Seen func(ctx context.Context) error
}

// Pages are server-rendered pages.
type Pages interface {
	http.Handler
	// Serves tells whether there is a page for the request.
	Serves(r *http.Request) bool
	// NotFound answers that there is neither a page nor a file.
	NotFound(w http.ResponseWriter, r *http.Request)
}

// Route is one route of a library user, in the pattern language of
// [http.ServeMux].
type Route struct {
	Pattern string
	Handler http.Handler
	// Func takes Handler's place if it is set. Its error is answered as those of
	// the API, unless it has answered by then.
	Func func(http.ResponseWriter, *http.Request) error
}

// Handler serves the API, pages and static files of one server. Its methods may
// be called at once.
type Handler struct {
	cfg     Config
	log     *slog.Logger
	mux     *http.ServeMux
	admin   *http.ServeMux
	metrics *metrics
	gate    gate
	limits  limiter
	bodies  budget
	static  *static

	draining atomic.Bool
	streams  streams
	behind   visits
}

// New makes a Handler. It fails if a route of cfg.Extra does not parse or
// collides with another.
func New(cfg Config) (*Handler, error) {
	h := &Handler{cfg: cfg, log: cfg.Log, streams: streams{ended: newEnding()}}
	if h.log == nil {
		h.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if h.cfg.Registry == nil {
		h.cfg.Registry = prometheus.NewRegistry()
	}
	if h.cfg.Collection == nil {
		h.cfg.Collection = func(string) *pando.Collection { return nil }
	}
	if h.cfg.PickFields == nil {
		h.cfg.PickFields = func(b []byte, _ string) ([]byte, error) { return b, nil }
	}
	h.metrics = newMetrics(h.cfg.Registry, cfg.Version)
	h.measureOverload(h.cfg.Registry)
	h.bodies = newBudget(cfg.BodyMemory)
	h.gate.init(cfg.OverloadLatency)
	h.static = newStatic(cfg.PublicDir)
	h.mux = http.NewServeMux()
	if err := h.register(); err != nil {
		return nil, err
	}
	h.admin = h.adminMux()
	return h, nil
}

// ServeHTTP serves the public listener.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.cfg.Indirect {
		h.indirect(w, r)
		return
	}
	h.answer(w, r)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodOptions {
		h.preflight(w, r)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// Admin serves the listener for operators: metrics, profiles, health. It asks
// for no credentials, so it must not be reachable from outside.
func (h *Handler) Admin() http.Handler { return h.admin }

// Drain makes /readyz fail from now on, so that load balancers look elsewhere.
func (h *Handler) Drain() { h.draining.Store(true) }

// CloseStreams ends the event streams, those too that begin later; without it they
// would hold a graceful stop up for half an hour. Each client is told to come back at
// a time of its own.
func (h *Handler) CloseStreams() { h.streams.end(0, true) }

// MoveStreams ends those that are open now, each at some moment within that time:
// their clients come back, and find another server.
func (h *Handler) MoveStreams(within time.Duration) { h.streams.end(within, false) }
