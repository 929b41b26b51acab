// Package pages renders html/template pages on the server, so that a site works
// without JavaScript.
//
// A file below the pages directory is a page, its path the page's path:
//
//	index.html           /
//	movies.html          /movies
//	movies/[id].html     /movies/{id}, with {{param "id"}}
//	404.html             what else is not found
//	_layout.html         wraps every page that defines "content"
//	_card.html           {{template "_card.html" .}} in any page
//
// Templates list and view records with the visitor's own rights, through the
// same service as the web API, and so from the same cache. No function of
// theirs reaches files, the environment or the network; time and output are
// bounded.
package pages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzhttp"

	"github.com/pandobase/pando"
)

// Bounds of one rendering.
const (
	maxTime   = 2 * time.Second
	maxOutput = 4 << 20 // bytes
)

// Options says where pages come from and what they may ask.
type Options struct {
	Dir     string // missing: there are no pages
	Records pando.Records
	Auth    pando.Auth
	Log     *slog.Logger
	Reload  bool // look for changed files at each request, for development
	// RealIP is the client's address as the server sees it; may be nil.
	RealIP func(*http.Request) string
	// CheckIP fails if rec may not be logged in from an address; the visitor is
	// a guest then. May be nil.
	CheckIP func(rec *pando.Record, ip string) error
	// LimitLogin fails if r is one login too many; may be nil.
	LimitLogin func(r *http.Request, collection string) error
}

// Pages serves the pages of one directory.
type Pages struct {
	o    Options
	set  atomic.Pointer[set]
	page http.Handler // serve, compressed
	none http.Handler // notFound, compressed

	mu    sync.Mutex // guards wrong
	wrong string     // the signature of a directory that does not parse
}

// New parses every page. The error names the file and the line.
func New(o Options) (*Pages, error) {
	p := &Pages{o: o}
	wrap, err := gzhttp.NewWrapper(gzhttp.SuffixETag(compressedETag))
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	p.page, p.none = wrap(http.HandlerFunc(p.serve)), wrap(http.HandlerFunc(p.notFound))
	s, err := load(o.Dir)
	if err != nil {
		return nil, err
	}
	p.set.Store(s)
	return p, nil
}

// Serves tells whether r is for a page or for one of the forms' actions.
func (p *Pages) Serves(r *http.Request) bool {
	switch r.URL.Path {
	case loginPath, logoutPath:
		return true
	}
	page, _ := p.current().find(r.URL.Path)
	return page != nil
}

// ServeHTTP answers with the page of r's path, or carries out a form's action.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.page.ServeHTTP(w, r) }

// NotFound answers with 404.html, or plainly if there is none.
func (p *Pages) NotFound(w http.ResponseWriter, r *http.Request) { p.none.ServeHTTP(w, r) }

func (p *Pages) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case loginPath:
		p.login(w, r)
		return
	case logoutPath:
		p.logout(w, r)
		return
	}
	page, params := p.current().find(r.URL.Path)
	if page == nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		p.notFound(w, r)
		return
	}
	p.render(w, r, page, params, http.StatusOK)
}

func (p *Pages) notFound(w http.ResponseWriter, r *http.Request) {
	if page := p.current().notFound; page != nil {
		p.render(w, r, page, nil, http.StatusNotFound)
		return
	}
	http.Error(w, "Not found.", http.StatusNotFound)
}

// current is the set of pages to serve from, read anew in development.
func (p *Pages) current() *set {
	s := p.set.Load()
	if !p.o.Reload {
		return s
	}
	sum, err := signature(p.o.Dir)
	if err != nil || sum == s.signature {
		return s
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if sum == p.wrong {
		return s // said before
	}
	fresh, err := load(p.o.Dir)
	if err != nil {
		p.wrong = sum
		p.o.Log.Error("the changed pages cannot be used; the former ones stay", "error", err)
		return s
	}
	p.set.Store(fresh)
	return fresh
}

func (p *Pages) realIP(r *http.Request) string {
	if p.o.RealIP == nil {
		return ""
	}
	return p.o.RealIP(r)
}

// render executes a page for one request and sends it whole, or an error page.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, page *page, params map[string]string, status int) {
	ctx, cancel := context.WithTimeout(r.Context(), maxTime)
	defer cancel()
	user, err := p.visitor(ctx, r)
	if err != nil {
		p.fail(w, r, page, err)
		return
	}
	out, err := page.execute(visit{ctx: ctx, pages: p, r: r, user: user, params: params})
	switch {
	case pando.KindOf(err) == pando.KindNotFound && status == http.StatusOK:
		p.notFound(w, r)
		return
	case err != nil:
		p.fail(w, r, page, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Cookie")
	if user != nil {
		h.Set("Cache-Control", "private, no-store")
		// What is secret must not be compressed together with what a stranger
		// can put into the address: the length would tell of it.
		h.Set(gzhttp.HeaderNoCompression, "1")
	} else {
		h.Set("Cache-Control", "no-cache")
		if status == http.StatusOK {
			etag := `"` + strconv.FormatUint(xxhash.Sum64(out.Bytes()), 36) + `"`
			h.Set("ETag", etag)
			if names(r.Header.Get("If-None-Match"), etag) {
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
	}
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(out.Bytes())
	}
}

// compressedETag tells the compressed form of a page from the plain one.
const compressedETag = "-gzip"

// names tells whether an If-None-Match header names etag, in either form. A
// proxy that compresses makes it a weak one.
func names(header, etag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		item = strings.Replace(strings.TrimPrefix(strings.TrimSpace(item), "W/"), compressedETag+`"`, `"`, 1)
		if item == "*" || item == etag {
			return true
		}
	}
	return false
}

// fail answers a page that could not be rendered. What went wrong is for the
// log: it may quote data that the visitor must not see.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, page *page, err error) {
	status, text := http.StatusInternalServerError, "This page cannot be shown: something went wrong on the server."
	switch {
	case r.Context().Err() != nil:
		return // nobody is there any more
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errTooMuch), errors.Is(err, errTooDeep):
		status, text = http.StatusServiceUnavailable, "This page cannot be shown: it takes too long or is too large."
	case pando.KindOf(err) == pando.KindUnavailable, pando.KindOf(err) == pando.KindTooMany:
		status, text = http.StatusServiceUnavailable, "This page cannot be shown right now. Please try again in a moment."
	case pando.KindOf(err) == pando.KindForbidden, pando.KindOf(err) == pando.KindUnauthenticated:
		status, text = http.StatusForbidden, "You are not allowed to see this page."
	case pando.KindOf(err) == pando.KindInvalid:
		status, text = http.StatusBadRequest, "This page cannot be shown: it was asked for something that does not exist."
	}
	p.o.Log.Warn("page failed", "page", page.name, "status", status, "error", err)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}

// output is what a page writes; it gives up on too much.
type output struct{ buf bytes.Buffer }

func (o *output) Write(p []byte) (int, error) {
	if o.buf.Len()+len(p) > maxOutput {
		return 0, errTooMuch
	}
	return o.buf.Write(p)
}

// instance is a page's template with functions of its own, so that renderings
// at the same time do not share a visit. Escaping is done at the first one, so
// instances are kept and used again.
type instance struct {
	template *template.Template
	visit    visit
}

// execute renders the page for one visit.
func (p *page) execute(v visit) (*bytes.Buffer, error) {
	in, ok := p.instances.Get().(*instance)
	if !ok {
		t, err := p.template.Clone()
		if err != nil {
			return nil, err
		}
		in = new(instance)
		in.template = t.Funcs(in.visit.funcs())
	}
	in.visit = v
	data, err := v.data()
	if err != nil {
		return nil, err
	}
	var out output
	err = in.template.ExecuteTemplate(&out, p.entry, data)
	in.visit = visit{}
	p.instances.Put(in)
	if err != nil && v.ctx.Err() != nil {
		err = errors.Join(v.ctx.Err(), err) // whatever it was that noticed
	}
	return &out.buf, err
}
