package lb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// errSlow is a body that comes too slowly.
var errSlow = errors.New("the body comes too slowly")

// slowest is what a body must bring on average once it has had its time, in bytes a
// second: less is nobody's upload.
const slowest = 100

// handle answers one request of a client.
func (b *Balancer) handle(w http.ResponseWriter, r *http.Request) {
	upgrade := r.ProtoMajor == 1 && r.Header["Upgrade"] != nil
	if upgrade {
		w.Header().Set("Connection", "close") // what may follow a refusal has not been looked at: see strict
	}
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		b.refuse(w, http.StatusMethodNotAllowed, "The method is not allowed here.", nil)
		return
	case !isCounted(r) && !b.clients.request(r.RemoteAddr, time.Now()):
		b.refuse(w, http.StatusTooManyRequests, tooMany, nil)
		return
	}
	w.Header().Del("Connection")
	b.inflight.Add(1)
	defer b.inflight.Add(-1)
	rc := http.NewResponseController(w)
	out := &clientWriter{ResponseWriter: w, rc: rc, patience: b.cfg.Limits.BodyTimeout, h2: r.ProtoMajor == 2,
		upgrade: upgrade}
	defer out.touch(true)
	if b.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	if r.Body != nil && r.Body != http.NoBody {
		// An answer may begin before the body has ended.
		_ = rc.EnableFullDuplex() // HTTP/2 needs no leave
		if r.ProtoMajor == 1 {
			defer settle(r, rc)
		}
		body := &clientBody{ReadCloser: r.Body, rc: rc, patience: b.cfg.Limits.BodyTimeout}
		r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body)) // the server looks at its own body afterwards
		r.Body = body
	}
	b.proxy.ServeHTTP(out, r)
}

// isCounted tells whether the fast path has counted the request as one of its client's.
func isCounted(r *http.Request) bool {
	c := connOf(r)
	return c != nil && r.ProtoMajor == 1 && c.counted.Swap(false)
}

// Bounds of reading the rest of a body after the answer, so that the connection can be
// used again, or at least the answer is not lost to a reset.
const settleWithin = 2 * time.Second

// settle reads what is left of a body that the answer did not wait for, before the
// handler returns: afterwards, net/http of an exchange in both directions would take the
// end of the body for the beginning of the next request. If the rest does not come, the
// connection ends.
func settle(r *http.Request, rc *http.ResponseController) {
	_ = rc.SetReadDeadline(time.Now().Add(settleWithin))
	if err := r.Body.Close(); err != nil {
		if c := connOf(r); c != nil {
			c.over.Store(true)
		}
	}
	_ = rc.SetReadDeadline(time.Time{})
}

// clientWriter gives up on a client that takes nothing for too long.
type clientWriter struct {
	http.ResponseWriter
	rc       *http.ResponseController
	patience time.Duration
	h2       bool
	upgrade  bool // asked for by an HTTP/1 client
	until    time.Time
}

// Unwrap lets ResponseController reach the rest.
func (w *clientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// touch moves the deadline on. Where it is near enough it is left as it is.
func (w *clientWriter) touch(always bool) {
	if w.patience <= 0 {
		return
	}
	now := time.Now()
	if always || w.until.Sub(now) < w.patience*3/4 {
		w.until = now.Add(w.patience)
		_ = w.rc.SetWriteDeadline(w.until) // one that cannot have a deadline has none
	}
}

// rest takes the deadline of an HTTP/2 stream away: it would end the stream even if
// there is nothing to write.
func (w *clientWriter) rest() {
	if w.h2 && w.patience > 0 {
		w.until = time.Time{}
		_ = w.rc.SetWriteDeadline(time.Time{})
	}
}

func (w *clientWriter) WriteHeader(status int) {
	w.touch(true)
	if w.upgrade && status != http.StatusSwitchingProtocols && status >= 200 {
		// What may follow has not been looked at: see strict.
		w.Header().Set("Connection", "close")
	}
	if h := w.Header(); status >= 200 && h["Content-Type"] == nil {
		h["Content-Type"] = nil // net/http is not to guess what the upstream did not say
	}
	w.ResponseWriter.WriteHeader(status)
	w.rest()
}

func (w *clientWriter) Write(p []byte) (int, error) {
	w.touch(false)
	n, err := w.ResponseWriter.Write(p)
	w.rest()
	return n, err
}

// FlushError writes what is buffered.
func (w *clientWriter) FlushError() error {
	w.touch(false)
	err := w.rc.Flush()
	w.rest()
	return err
}

// clientBody gives up on a client that sends too little for too long.
type clientBody struct {
	io.ReadCloser
	rc       *http.ResponseController
	patience time.Duration
	begun    time.Time
	n        int64
	slow     atomic.Bool // it was given up
}

// bodyKey finds the *clientBody of a request.
type bodyKey struct{}

// tooSlow tells whether a request's body was given up. net/http then cancels the
// request as if the client had gone.
func tooSlow(r *http.Request) bool {
	b, ok := r.Context().Value(bodyKey{}).(*clientBody)
	return ok && b.slow.Load()
}

func (r *clientBody) Read(p []byte) (int, error) {
	if r.patience <= 0 {
		return r.ReadCloser.Read(p)
	}
	now := time.Now()
	if r.begun.IsZero() {
		r.begun = now
	}
	if had := now.Sub(r.begun); had > r.patience && float64(r.n) < slowest*had.Seconds() {
		r.slow.Store(true)
		return 0, errSlow
	}
	_ = r.rc.SetReadDeadline(now.Add(r.patience))
	n, err := r.ReadCloser.Read(p)
	r.n += int64(n)
	if err != nil {
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			r.slow.Store(true)
			return n, errSlow
		}
		_ = r.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}
