package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminMux is the listener for operators. It asks nobody who they are.
func (h *Handler) adminMux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range []*route{
		{Pattern: "GET /metrics", handle: metricsRoute},
		{Pattern: "GET /livez", handle: livez},
		{Pattern: "GET /readyz", handle: verboseReadyz},
		{Pattern: "GET /system", handle: showSystem},
		{Pattern: "/debug/pprof/", handle: profiles},
		{Pattern: "/", handle: notFound},
	} {
		handle := rt.handle
		mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) {
			c := &call{h: h, w: w, r: r, route: rt}
			if err := handle(c); err != nil {
				c.fail(err)
			}
		})
	}
	return mux
}

func metricsRoute(c *call) error {
	promhttp.HandlerFor(c.h.cfg.Registry, promhttp.HandlerOpts{}).ServeHTTP(c.w, c.r)
	c.wrote = true
	return nil
}

// livez says that the process answers, whatever the parts below do.
func livez(c *call) error {
	c.text(http.StatusOK, "ok\n")
	return nil
}

// Ready says why no requests should come here; nil if they should.
func (h *Handler) Ready() error { return h.ready() }

func (h *Handler) ready() error {
	if h.draining.Load() {
		return errDraining
	}
	if h.cfg.Ready != nil {
		return h.cfg.Ready()
	}
	return nil
}

var errDraining = errors.New("the server is stopping")

// readyz says in one word whether requests should be sent here; superusers may
// ask for more.
func readyz(c *call) error {
	if _, verbose := c.query("verbose"); verbose && c.req.IsSuperuser() {
		return verboseReadyz(c)
	}
	if err := c.h.ready(); err != nil {
		c.text(http.StatusServiceUnavailable, "unready\n")
		return nil
	}
	c.text(http.StatusOK, "ok\n")
	return nil
}

func verboseReadyz(c *call) error {
	status, word := http.StatusOK, "ok"
	err := c.h.ready()
	if err != nil {
		status, word = http.StatusServiceUnavailable, "unready"
	}
	if _, verbose := c.query("verbose"); !verbose {
		c.text(status, word+"\n")
		return nil
	}
	facts := map[string]any{}
	if c.h.cfg.Status != nil {
		facts = c.h.cfg.Status()
	}
	facts["ready"] = err == nil
	if err != nil {
		facts["reason"] = err.Error()
	}
	if strings.Contains(c.r.Header.Get("Accept"), "application/json") {
		b, err := json.MarshalIndent(facts, "", "  ")
		if err != nil {
			return err
		}
		c.json(status, append(b, '\n'))
		return nil
	}
	keys := make([]string, 0, len(facts))
	for k := range facts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	fmt.Fprintln(&b, word)
	for _, k := range keys {
		fmt.Fprintf(&b, "%s: %v\n", k, facts[k])
	}
	c.text(status, b.String())
	return nil
}

func (c *call) text(status int, body string) {
	c.status, c.wrote = status, true
	header := c.w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	fmt.Fprint(c.w, body)
}

// profiles serves net/http/pprof without its registration in the default mux.
func profiles(c *call) error {
	c.wrote = true
	c.status = http.StatusOK
	switch strings.TrimPrefix(c.r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(c.w, c.r)
	case "profile":
		pprof.Profile(c.w, c.r)
	case "symbol":
		pprof.Symbol(c.w, c.r)
	case "trace":
		pprof.Trace(c.w, c.r)
	default:
		pprof.Index(c.w, c.r)
	}
	return nil
}
