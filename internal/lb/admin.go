package lb

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Admin answers operators: /metrics, /livez, /readyz, /status, /debug/pprof/. It asks
// nobody who they are.
func (b *Balancer) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.cfg.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, word := http.StatusOK, "ok\n"
		reason := b.ready()
		if reason != "" {
			status, word = http.StatusServiceUnavailable, "unready\n"
		}
		if r.URL.Query().Has("verbose") {
			word += b.Status().text()
		}
		text(w, status, word)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		out, err := b.Status().JSON()
		if err != nil {
			text(w, http.StatusInternalServerError, "the status cannot be encoded\n")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(append(out, '\n'))
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// text is the status for people.
func (s Status) text() string {
	out := ""
	if s.Reason != "" {
		out += "reason: " + s.Reason + "\n"
	}
	for _, u := range s.Upstreams {
		out += fmt.Sprintf("%s: %s", u.Name, u.State)
		if u.Reason != "" {
			out += " (" + u.Reason + ")"
		}
		out += fmt.Sprintf(", %.0f/s, p99 %.1f ms, %d in flight\n", u.Rate, u.P99*1000, u.InFlight)
	}
	return out
}
