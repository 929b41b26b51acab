package web

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// Behind serves the requests that load balancers of our own bring. That they are ours
// is proven by the connection, so what they say is believed: the client's address is
// the last one in X-Forwarded-For, and whether the client came over TLS says
// X-Forwarded-Proto. Nothing that a client sends gets here: load balancers set both.
// Each answer carries X-Pando-Load.
func (h *Handler) Behind() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header["X-Pando-Load"] = h.gate.header()
		if h.draining.Load() {
			header["Connection"] = headerClose // so nothing is sent when the connection ends
		}
		h.behind.note(r.URL.Path)
		if ip := forwardedIP(r.Header["X-Forwarded-For"], false); ip != "" {
			r.RemoteAddr = net.JoinHostPort(ip, "0")
		}
		if proto := r.Header["X-Forwarded-Proto"]; len(proto) == 0 || proto[0] != "https" {
			r.TLS = nil // it is the load balancer's
		}
		h.answer(w, r)
	})
}

var headerClose = []string{"close"}

// visits are when load balancers were here.
type visits struct {
	any, request atomic.Int64 // nanoseconds; request: for a client
}

func (v *visits) note(path string) {
	now := time.Now().UnixNano()
	v.any.Store(now)
	if path != "/readyz" && path != "/livez" {
		v.request.Store(now)
	}
}

// Visited is when a load balancer was last here, and when with a client's request.
func (h *Handler) Visited() (any, request time.Time) {
	at := func(n int64) time.Time {
		if n == 0 {
			return time.Time{}
		}
		return time.Unix(0, n)
	}
	return at(h.behind.any.Load()), at(h.behind.request.Load())
}

// indirect answers who comes past the load balancers, where only these are to come.
// What health checks of the machine ask for is answered as ever.
func (h *Handler) indirect(w http.ResponseWriter, r *http.Request) {
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && (r.URL.Path == "/livez" || r.URL.Path == "/readyz") {
		h.answer(w, r)
		return
	}
	h.metrics.past.Inc()
	h.setCommonHeaders(w, r)
	c := &call{h: h, w: w, r: r, turns: h.turns()}
	c.json(http.StatusMisdirectedRequest, misdirected)
}

var misdirected = func() []byte {
	b, _ := json.Marshal(errorBody{ // texts and a number: it cannot fail
		Data: struct{}{}, Status: http.StatusMisdirectedRequest,
		Message: "This server is one of a cluster and answers what comes through a load balancer: ask that (pando lb), or start the server with --direct.",
	})
	return append(b, '\n')
}()

// loadHeaders are the values of X-Pando-Load in hundredths.
var loadHeaders = func() (list [101][]string) {
	for i := range list {
		list[i] = []string{strconv.FormatFloat(float64(i)/100, 'f', 2, 64)}
	}
	return list
}()

func (g *gate) header() []string { return loadHeaders[int(g.value()*100+0.5)] }

// Load is how much this server has to do, from 0 to 1: of what it can work on at once,
// as it has measured, what it works on.
func (h *Handler) Load() float64 { return h.gate.value() }
