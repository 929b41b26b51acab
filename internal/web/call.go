package web

import (
	"context"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/position"
)

// call is one request on its way through a handler.
type call struct {
	h      *Handler
	w      http.ResponseWriter
	r      *http.Request
	route  *route
	req    pando.Request // what rules may see
	token  string        // as sent, without "Bearer"
	turns  uint64        // how often answers had come to be old when it began
	status int
	wrote  bool
	made   bool  // what was asked for has been written
	parsed *form // of a submitted form, to be cleaned up

	place place // among what is worked on

	cost, charged int64 // bytes that the body takes; of them, from the budget
}

// serve runs one route.
func (h *Handler) serve(rt *route, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	turns := h.turns()
	h.setCommonHeaders(w, r)
	// Also before a position is judged: it can be of what this server has not heard of.
	var ready error
	if rt.stays && h.cfg.LeaseWait > 0 && kindOf(r.Method) == writes {
		r = r.WithContext(position.WithLease(r.Context(), h.cfg.LeaseWait))
	}
	if rt.waits {
		ready = h.await(r.Context())
	}
	if sent := r.Header["X-Pos"]; ready == nil && len(sent) > 0 && h.cfg.Positions != nil {
		p := h.keepPosition(r.Context(), w, sent[0])
		defer p.stamp() // if nothing was written
		w, r = p, r.WithContext(position.WithSession(r.Context(), p.session))
	}
	c := &call{h: h, w: w, r: r, route: rt, turns: turns, place: place{since: start}}
	h.metrics.inflight.Inc()
	defer func() {
		if c.parsed != nil {
			c.parsed.close()
		}
		c.giveBack()
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			h.log.Error("panic in a handler", "method", r.Method, "route", rt.Pattern, "panic", p, "stack", string(debug.Stack()))
			c.fail(&pando.Error{Kind: pando.KindInternal, Message: "panic"})
		}
		c.surrender()
		took := time.Since(start)
		if c.place.in != nowhere {
			c.left(took - c.place.since.Sub(start))
		}
		h.metrics.inflight.Dec()
		rt.metrics.done(c.status, took)
		if p == http.ErrAbortHandler {
			panic(p)
		}
	}()
	if ready == nil {
		ready = c.run()
	}
	if ready != nil {
		c.refuse(ready)
	}
}

// refuse answers with an error.
func (c *call) refuse(err error) {
	// What is not to be had is so whatever the rules say.
	if !c.wrote && pando.KindOf(err) != pando.KindUnavailable {
		held := c.inForce()
		if held == nil {
			held = c.seen()
		}
		if held != nil {
			err = held
		}
	}
	c.fail(err)
}

// seen fails if the client may have seen newer rules than those that it is refused by.
func (c *call) seen() error {
	p := c.h.cfg.Positions
	if p == nil || p.Seen == nil || !c.route.waits {
		return nil
	}
	return p.Seen(c.r.Context())
}

// inForce waits until the answer may be known: what a client is shown by rules that
// were changed a moment ago, nobody may be denied by the old ones afterwards.
func (c *call) inForce() error {
	if !c.route.waits {
		return nil
	}
	err := c.h.inForce(c.r.Context())
	if err != nil && c.made {
		return madeAnyway(err)
	}
	return err
}

// madeAnyway is the error of a write that was made and must not be answered, because
// of err. Who hears of it must not just send it again.
func madeAnyway(err error) error {
	return &pando.Error{
		Kind: pando.KindUnavailable, Err: err,
		Message: "Your change may have been saved, but not every server goes by the newest collections yet. Please check before you send it again.",
		Data:    pando.FieldErrors{"outcome": "unknown"},
	}
}

func (h *Handler) inForce(ctx context.Context) error {
	if h.cfg.InForce == nil {
		return nil
	}
	return h.cfg.InForce(ctx)
}

// await waits until this server knows of all that was answered by now.
func (h *Handler) await(ctx context.Context) error {
	if h.cfg.Await == nil {
		return nil
	}
	return h.cfg.Await(ctx)
}

// run checks what all routes have in common, then calls the handler.
func (c *call) run() error {
	if c.r.ContentLength > defaultBodyLimit && c.r.ContentLength > c.route.limit(c) {
		return &pando.Error{Kind: pando.KindTooLarge}
	}
	settings, err := c.identify()
	if err != nil {
		return err
	}
	if settings.RateLimits.Enabled {
		if err := c.h.limits.check(settings, c, c.route.Pattern, c.path("c"), c.route.tags); err != nil {
			return err
		}
	}
	if err := c.mayCall(); err != nil {
		return err
	}
	if !c.hasBody() || c.r.Method == http.MethodGet || c.r.Method == http.MethodHead { // else when it has been read
		if err := c.enter(); err != nil {
			return err
		}
	}
	return c.route.handle(c)
}

// mayCall fails if the route is not for who asks.
func (c *call) mayCall() error {
	switch c.route.access {
	case anyUser, superuser:
		if c.req.Auth == nil {
			return &pando.Error{
				Kind:    pando.KindUnauthenticated,
				Message: "The request requires valid record authorization token.",
			}
		}
		if c.route.access == superuser && !c.req.IsSuperuser() {
			return &pando.Error{
				Kind:    pando.KindForbidden,
				Message: "The authorized record is not allowed to perform this action.",
			}
		}
	}
	return nil
}

// identify fills in what rules may see of the request, who asks included. It gives the
// settings that it went by.
func (c *call) identify() (*pando.Settings, error) {
	if auth := c.r.Header["Authorization"]; len(auth) > 0 && auth[0] != "" {
		c.token = bearer(auth[0])
		who, err := c.h.cfg.Auth.Identify(c.r.Context(), c.token)
		if err != nil {
			return nil, err
		}
		c.req.Auth = who
	}
	// To look at the token waits until this server knows of all that was answered, on
	// routes too that do not wait: these are the settings of then.
	settings := c.h.cfg.Settings.Current()
	c.req.Context = "default"
	c.req.Method = c.r.Method
	c.req.RealIP = realIP(c.r, &settings.TrustedProxy)
	c.req.Query = c.query
	c.req.Header = c.header
	if c.req.IsSuperuser() && !settings.TakesSuperuserFrom(c.req.RealIP) {
		return nil, &pando.Error{Kind: pando.KindForbidden}
	}
	return settings, nil
}

// identifyAgain looks once more who asks, and whether he may, behind what takes as long
// as a client likes, or as others do: meanwhile others can have been told that he may not
// any more.
func (c *call) identifyAgain() error {
	if c.token == "" {
		return nil
	}
	_, err := c.identify()
	if err == nil {
		err = c.mayCall()
	}
	if err != nil {
		return asError(err) // it is no fault of the body
	}
	return nil
}

// bearer strips the optional scheme of an Authorization header.
func bearer(value string) string {
	const scheme = "bearer "
	if len(value) > len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
		return value[len(scheme):]
	}
	return value
}

func (c *call) path(name string) string { return c.r.PathValue(name) }

// query looks a parameter of the URL up, for rules and handlers alike.
func (c *call) query(name string) (string, bool) { return queryValue(c.r.URL.RawQuery, name) }

// header looks a header up by its name in lower snake case, as rules spell it.
func (c *call) header(name string) (string, bool) { return headerValue(c.r.Header, name) }

func headerValue(header http.Header, name string) (string, bool) {
	if v := header[http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))]; len(v) > 0 {
		return v[0], true
	}
	for key, v := range header { // a header that itself has an underscore
		if len(v) > 0 && strings.EqualFold(strings.ReplaceAll(key, "-", "_"), name) {
			return v[0], true
		}
	}
	return "", false
}

func (c *call) projection() pando.Projection {
	if c.r.URL.RawQuery == "" {
		return pando.Projection{}
	}
	expand, _ := c.query("expand")
	fields, _ := c.query("fields")
	return pando.Projection{Expand: expand, Fields: fields}
}

func (c *call) fields() string {
	fields, _ := c.query("fields")
	return fields
}

// answer sends what a service returned, or its error on.
func (c *call) answer(a pando.Answer, err error) error {
	if err == nil {
		err = c.inForce()
	}
	if err != nil {
		return err
	}
	c.json(http.StatusOK, a)
	return nil
}

// saved is the answer of a service that writes: nothing that fails after it may be
// taken for a failure of the write.
func (c *call) saved(a pando.Answer, err error) error {
	c.made = err == nil
	return c.answer(a, err)
}

// removed is the answer, without a body, of a service that writes.
func (c *call) removed(err error) error {
	c.made = err == nil
	return c.done(err)
}

// known is answer where nothing was read: what this server knows, the client may have
// seen newer.
func (c *call) known(a pando.Answer, err error) error {
	if err == nil {
		err = c.seen()
	}
	return c.answer(a, err)
}

// done is the answer without a body.
func (c *call) done(err error) error {
	if err == nil {
		err = c.inForce()
	}
	if err != nil {
		return err
	}
	c.markAge()
	c.status, c.wrote = http.StatusNoContent, true
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// markAge says of an answer that is about to begin how old it may be. It may have come
// to that while the request waited.
func (c *call) markAge() { c.h.markAge(c.w.Header(), c.turns) }

// net/http counts bodies up to its buffer's size by itself; for longer ones it
// would chunk the answer.
const countedByServer = 2048

func (c *call) json(status int, body []byte) {
	header := c.w.Header()
	header["Content-Type"] = headerJSON
	c.markAge()
	c.status, c.wrote = status, true
	if c.r.Method == http.MethodHead && status >= 400 {
		c.w.WriteHeader(status)
		return
	}
	if len(body) >= countedByServer {
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	if status != http.StatusOK {
		c.w.WriteHeader(status)
	}
	if len(body) >= countedByServer {
		c.leave() // how long that takes is up to the client
	}
	c.w.Write(body)
}
