package web

import (
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are what the edge counts. Labels hold route patterns, never paths or
// ids, so their number is bounded.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inflight prometheus.Gauge
	aged     prometheus.Counter
	streams  prometheus.Gauge
	past     prometheus.Counter

	positions map[string]prometheus.Counter // presented by clients, by what they were worth
}

func newMetrics(reg *prometheus.Registry, version string) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pando_http_requests_total",
			Help: "Requests answered, by method, route pattern and status.",
		}, []string{"method", "route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "pando_http_request_duration_seconds",
			Help:    "Time from the read header to the written answer, by method and route pattern.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"}),
		aged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pando_aged_answers_total",
			Help: "Answers marked with their age, because the database had no primary.",
		}),
		past: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pando_http_misdirected_total",
			Help: "Requests refused, because they did not come through a load balancer.",
		}),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pando_http_inflight_requests",
			Help: "Requests being answered now, event streams included.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pando_realtime_clients",
			Help: "Open event streams.",
		}),
	}
	positions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pando_client_positions_total",
		Help: "Positions that clients presented (X-Pos), by what they were worth: start, holds, void (lost in a failover), forged, future.",
	}, []string{"verdict"})
	m.positions = map[string]prometheus.Counter{}
	for _, verdict := range []string{posStart, posHolds, posVoid, posForged, posFuture} {
		m.positions[verdict] = positions.WithLabelValues(verdict)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "pando_build_info",
		Help:        "Always 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	reg.MustRegister(m.requests, m.duration, m.inflight, m.past, m.aged, m.streams, positions, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// routeMetrics are the counters of one route, looked up once per status and
// not once per request.
type routeMetrics struct {
	m             *metrics
	method, route string
	duration      prometheus.Observer
	byStatus      [600]atomic.Pointer[prometheus.Counter]
}

func (m *metrics) route(pattern string) *routeMetrics {
	method, route, found := strings.Cut(pattern, " ")
	if !found {
		method, route = "any", pattern
	}
	return &routeMetrics{m: m, method: method, route: route, duration: m.duration.WithLabelValues(method, route)}
}

func (r *routeMetrics) done(status int, took time.Duration) {
	if status < 100 || status >= len(r.byStatus) {
		status = 200 // a handler that wrote nothing
	}
	counter := r.byStatus[status].Load()
	if counter == nil {
		c := r.m.requests.WithLabelValues(r.method, r.route, strconv.Itoa(status))
		counter = &c
		r.byStatus[status].Store(counter)
	}
	(*counter).Inc()
	r.duration.Observe(took.Seconds())
}
