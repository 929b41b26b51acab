package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// access is who may call a route at all; rules of collections come later.
type access uint8

const (
	anyone access = iota
	anyUser
	superuser
)

// route is one row of the API surface.
type route struct {
	Pattern string // of http.ServeMux; also the label in metrics
	access  access
	tags    []string // what rate-limit rules call it, most specific first
	limit   func(*call) int64
	handle  func(*call) error
	metrics *routeMetrics
	waits   bool // it is answered by what this server knows of the others
	stays   bool // what it changes, by a method that changes something, stays: see [Config.LeaseWait]
	placed  bool // it counts against what can be worked on at once: see gate
	foreign bool // it is a library user's
}

// Logins by form count as logins by the API do: see [Handler.LimitLogin].
const loginPattern = "POST /api/collections/{c}/auth-with-password"

var loginTags = []string{"authWithPassword", "auth"}

// routes is the whole web API. {c} is a collection's id or name.
//
// Not there yet, and so answered with 404: the mail, OAuth2, OTP and MFA flows,
// logs, crons, backups and the settings' test routes.
func (h *Handler) routes() []*route {
	const (
		coll    = "/api/collections/{c}"
		records = coll + "/records"
		record  = records + "/{id}"
	)
	tag := func(names ...string) []string { return names }
	return []*route{
		{Pattern: "GET /api/health", handle: health},

		{Pattern: "GET /api/settings", access: superuser, handle: viewSettings},
		{Pattern: "PATCH /api/settings", access: superuser, handle: updateSettings},

		{Pattern: "GET /api/system", access: superuser, handle: showSystem},

		{Pattern: "GET /api/collections", access: superuser, handle: listCollections},
		{Pattern: "POST /api/collections", access: superuser, handle: createCollection},
		{Pattern: "GET " + coll, access: superuser, handle: viewCollection},
		{Pattern: "PATCH " + coll, access: superuser, handle: updateCollection},
		{Pattern: "DELETE " + coll, access: superuser, handle: deleteCollection},
		{Pattern: "DELETE " + coll + "/truncate", access: superuser, handle: truncateCollection},
		{Pattern: "PUT /api/collections/import", access: superuser, handle: importCollections},
		{Pattern: "GET /api/collections/meta/scaffolds", access: superuser, handle: scaffolds},
		{Pattern: "POST /api/collections/meta/dry-run-view", access: superuser, handle: dryRunView},

		{Pattern: "GET " + records, tags: tag("list"), limit: recordLimit, handle: listRecords},
		{Pattern: "GET " + record, tags: tag("view"), limit: recordLimit, handle: viewRecord},
		{Pattern: "POST " + records, tags: tag("create"), limit: recordLimit, handle: createRecord},
		{Pattern: "PATCH " + record, tags: tag("update"), limit: recordLimit, handle: updateRecord},
		{Pattern: "DELETE " + record, tags: tag("delete"), limit: recordLimit, handle: deleteRecord},
		{Pattern: "POST /api/batch", limit: batchLimit, handle: batch},

		{Pattern: "GET " + coll + "/auth-methods", tags: tag("listAuthMethods"), handle: authMethods},
		{Pattern: loginPattern, tags: loginTags, handle: authWithPassword},
		{Pattern: "POST " + coll + "/auth-refresh", tags: tag("authRefresh"), handle: authRefresh},
		{Pattern: "POST " + coll + "/impersonate/{id}", access: superuser, handle: impersonate},

		{Pattern: "POST /api/files/token", access: anyUser, handle: fileToken},
		{Pattern: "GET /api/files/{c}/{id}/{name}", tags: tag("file"), handle: downloadFile},

		{Pattern: "GET /api/realtime", handle: connectRealtime},
		{Pattern: "POST /api/realtime", handle: subscribeRealtime},

		// Not of the API: what operators and browsers ask for.
		{Pattern: "GET /livez", handle: livez},
		{Pattern: "GET /readyz", handle: readyz},
		{Pattern: "GET /metrics", access: superuser, handle: metricsRoute},
		{Pattern: "/debug/pprof/", access: superuser, handle: profiles},
		{Pattern: "/_/", handle: dashboard},
		{Pattern: "GET /_/install/{token}", handle: installForm},
		{Pattern: "POST /_/install/{token}", handle: install},

		// Everything else: routes of the pages, static files, or nothing.
		{Pattern: "/", handle: fallback},
	}
}

func (h *Handler) register() (err error) {
	defer func() { // ServeMux reports bad patterns and conflicts by panicking
		if p := recover(); p != nil {
			err = fmt.Errorf("web: route: %v", p)
		}
	}()
	for _, rt := range h.routes() {
		h.handle(h.mux, rt)
	}
	for _, extra := range h.cfg.Extra {
		h.handle(h.mux, &route{Pattern: extra.Pattern, waits: true, foreign: true, handle: func(c *call) error {
			if extra.Func == nil {
				c.foreign(extra.Handler)
				return nil
			}
			rec := &statusRecorder{ResponseWriter: c.w, before: c.begin}
			err := extra.Func(rec, c.r)
			c.status, c.wrote = rec.status, rec.status != 0
			return err
		}})
	}
	return nil
}

func (h *Handler) handle(mux *http.ServeMux, rt *route) {
	if rt.limit == nil {
		rt.limit = func(*call) int64 { return defaultBodyLimit }
	}
	rt.metrics = h.metrics.route(rt.Pattern)
	rt.waits = rt.waits || strings.Contains(rt.Pattern, " /api/") && !strings.HasSuffix(rt.Pattern, " /api/health")
	rt.stays = rt.waits && !slices.Contains(passing, rt.Pattern)
	rt.placed = !rt.foreign && (rt.Pattern == "/" ||
		strings.Contains(rt.Pattern, " /api/") && rt.access != superuser && !slices.Contains(unplaced, rt.Pattern))
	mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) { h.serve(rt, w, r) })
}

// unplaced are routes that are always answered, that only wait, or that have a queue of
// their own. So are those of superusers; those outside of /api, but for pages; and those
// of library users, of which nobody knows what they wait for.
var unplaced = []string{"GET /api/health", "GET /api/realtime", loginPattern}

// passing are routes by whose methods something could stay, and nothing does: people log
// in, and hear of what happens, without a primary too. What they are answered says how
// old it may be.
var passing = []string{
	loginPattern, "POST /api/collections/{c}/auth-refresh", "POST /api/files/token", "POST /api/realtime",
	"POST /api/collections/meta/dry-run-view",
}

// statusRecorder remembers the status that foreign handlers answer with.
type statusRecorder struct {
	http.ResponseWriter
	status int
	before func() error // is called before the answer begins; if it fails, there is another one; may be nil
	failed bool
}

func (r *statusRecorder) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		r.ResponseWriter.WriteHeader(status)
		return
	}
	if r.status != 0 {
		return
	}
	r.status = status
	if r.before != nil {
		if err := r.before(); err != nil {
			r.failed, r.status = true, http.StatusServiceUnavailable
			r.Header()["Retry-After"] = headerRetryAfter
			http.Error(r.ResponseWriter, err.Error(), r.status)
			return
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if r.failed {
		return len(b), nil // of the answer that is not given
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
