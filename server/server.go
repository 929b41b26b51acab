// Package server runs a Pando server inside any program: what `pando serve`
// does, with hooks around writes and logins, and with routes of one's own.
//
//	s, err := server.New(server.Config{})
//	if err != nil { … }
//	s.OnRecordCreate(func(ctx context.Context, e *server.RecordEvent, next func(context.Context) error) error {
//		e.Record.Set("title", strings.TrimSpace(e.Record.String("title")))
//		return next(ctx)
//	}, "posts")
//	s.HandleFunc("GET /api/hello", hello)
//	err = s.Run(ctx)
//
// examples/embed is a whole program. Beside the server, this package has what
// the commands do: [Backup], [Restore], [OpenData] for imports,
// [OpenSuperusers], [TakeOverPocketBase].
//
// [New] opens the data directory, [Server.Run] serves until its context ends and
// then stops in order. wire.go is the only place of the module that chooses
// which database, cache or blob store is below.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/system"
	"github.com/pandobase/pando/internal/web"
)

// Server is one Pando server. Hooks and routes are added between [New] and
// [Server.Run]; all other methods may be called at once.
type Server struct {
	cfg    Config
	log    *slog.Logger
	began  time.Time
	dir    string // absolute
	limits limits
	lock   dirLock
	parts  *parts
	certs  atomic.Pointer[certs.Certificates] // nil: HTTPS is not spoken
	window atomic.Pointer[system.Window]      // nil until it runs
	at     atomic.Pointer[string]             // the address of the public listener; nil until it is open

	routes []web.Route

	once    sync.Once // guards the making of edge
	edge    *web.Handler
	edgeErr error

	closing  sync.Once
	closeErr error
}

// New opens the data directory, making it if it is not there, and starts what
// lies below the web API. It fails if another server uses the directory, or a
// newer version of Pando wrote it. The caller runs the server or closes it.
func New(cfg Config) (*Server, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults(), began: time.Now()}
	s.log = s.cfg.Log
	place, err := s.cfg.place().absolute()
	if err != nil {
		return nil, err
	}
	s.dir = place.Dir
	s.limits = measure(s.cfg)
	s.limits.apply()
	if s.lock, err = lockDir(s.dir, s.began); err != nil {
		return nil, err
	}
	if s.parts, err = wire(s.cfg, place, s.limits); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// Handle adds a route, in the pattern language of [http.ServeMux]. Patterns of
// the API cannot be taken; /api/ paths that it does not use can.
func (s *Server) Handle(pattern string, h http.Handler) {
	s.routes = append(s.routes, web.Route{Pattern: pattern, Handler: h})
}

// HandleFunc adds a route like [Server.Handle]. An error of f is answered as the
// API answers its own: a *pando.Error with its status and message, any other
// with 500 and no details, which are logged. After f has begun to answer, its
// error is only logged.
func (s *Server) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request) error) {
	s.routes = append(s.routes, web.Route{Pattern: pattern, Func: f})
}

// Handler serves everything that the main listener serves, for programs that
// have a listener of their own. Hooks and routes must have been added before.
func (s *Server) Handler() (http.Handler, error) { return s.handler() }

func (s *Server) handler() (*web.Handler, error) {
	s.once.Do(func() { s.edge, s.edgeErr = s.parts.edge(s) })
	return s.edge, s.edgeErr
}

// Records reads and writes records as the web API does, hooks included. A
// request without Auth is a guest's.
func (s *Server) Records() pando.Records { return s.parts.records }

// Collections reads and changes the definitions of collections, as a superuser
// may.
func (s *Server) Collections() pando.Collections { return s.parts.collections }

// Superuser is a request of the program itself, which passes every rule, for
// calls of [Server.Records]. Nobody is logged in by it: its Auth has no id.
func (s *Server) Superuser() *pando.Request {
	c := s.parts.store.Catalog().Collection(pando.SuperusersName)
	return &pando.Request{Context: "default", Auth: pando.NewRecord(c)}
}

// Request describes who asks in r, for calls of [Server.Records] from routes of
// one's own: a guest, or whom the Authorization header stands for.
func (s *Server) Request(r *http.Request) (*pando.Request, error) {
	h, err := s.handler()
	if err != nil {
		return nil, err
	}
	return h.Request(r)
}

// FirstSuperuser makes a superuser if there is none yet, and tells whether it
// did.
func (s *Server) FirstSuperuser(ctx context.Context, email, password string) (created bool, err error) {
	if any, err := s.parts.superusers.Any(ctx); any || err != nil {
		return false, err
	}
	err = s.parts.superusers.CreateFirst(ctx, email, password)
	if pando.KindOf(err) == pando.KindForbidden {
		return false, nil
	}
	return err == nil, err
}

// Close stops what New started. Run does it by itself. It may be called twice.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.closeErr = errors.Join(s.parts.close(), s.lock.Close())
	})
	return s.closeErr
}

// Run serves until ctx ends, then stops: readiness fails first, event streams
// are closed, requests under way get Config.StopTimeout, and the data directory
// is closed last. It returns nil after a stop in good order.
func (s *Server) Run(ctx context.Context) error {
	err := s.run(ctx)
	return errors.Join(err, s.Close())
}
