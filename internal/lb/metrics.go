package lb

import (
	"errors"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// collector makes metrics of the counters that are kept anyway.
type collector struct{ b *Balancer }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("pando_lb_"+name, help, labels, nil)
}

var (
	descRequests = desc("upstream_requests_total", "Attempts at an upstream, by the answer's status in hundreds; none is an attempt without an answer.", "upstream", "code")
	descHealthy  = desc("upstream_healthy", "1 if the upstream gets requests.", "upstream")
	descInFlight = desc("upstream_inflight_requests", "Requests that the upstream has not answered to the end, streams excepted.", "upstream")
	descStreams  = desc("upstream_streams", "Event streams and tunnels open at the upstream.", "upstream")
	descLimit    = desc("upstream_limit", "Requests at once that the upstream is given, as found by latency.", "upstream")
	descDials    = desc("upstream_dials_total", "Connections opened to the upstream.", "upstream")
	descLatency  = desc("upstream_latency_seconds", "Time to the header of the upstream's answers, of the last ten seconds.", "upstream", "quantile")
	descRamp     = desc("upstream_ramp", "Share of its full share that the upstream gets.", "upstream")
	descRetries  = desc("retries_total", "Requests sent again after a failure.")
	descHedges   = desc("hedges_total", "Requests sent to a second upstream because the first took long.")
	descShed     = desc("shed_total", "Requests answered 503 because every upstream had enough to do.")
	descQueued   = desc("queued_requests", "Requests that wait for a place at an upstream.")
	descConns    = desc("client_connections", "Connections of clients.")
	descRefused  = desc("client_connections_refused_total", "Connections of clients closed because there were too many.")
	descFast     = desc("fast_path_total", "Requests of HTTP/1.1 connections, over TLS or not, by whether the fast path passed their answer on or left them to net/http.", "result")
	descOwn      = desc("own_answers_total", "Requests answered by the load balancer itself, by status.", "code")
)

func (b *Balancer) register() error {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pando_build_info", Help: "Always 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"version": b.cfg.Version, "goversion": runtime.Version()},
	})
	build.Set(1)
	return errors.Join(
		b.cfg.Registry.Register(collector{b}), b.cfg.Registry.Register(build),
		b.cfg.Registry.Register(collectors.NewGoCollector()),
		b.cfg.Registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})))
}

// Describe tells what Collect may give.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descRequests, descHealthy, descInFlight, descStreams, descLimit, descDials, descLatency, descRamp,
		descRetries, descHedges, descShed, descQueued, descConns, descRefused, descFast, descOwn,
	} {
		ch <- d
	}
}

// Collect reads the counters.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	b := c.b
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count(descRetries, float64(b.retries.Load()))
	count(descHedges, float64(b.hedges.Load()))
	count(descShed, float64(b.shed.Load()))
	gauge(descQueued, float64(b.queue.Length()))
	gauge(descConns, float64(b.clients.count()))
	count(descRefused, float64(b.refusedConns.Load()))
	count(descFast, float64(b.passed.Load()), "passed")
	count(descFast, float64(b.lent.Load()), "left")
	for i, code := range ownCodes {
		count(descOwn, float64(b.own[i].Load()), strconv.Itoa(code))
	}
	s := b.Status()
	seen := map[string]bool{}
	for i, m := range b.roster.Load().all {
		u := s.Upstreams[min(i, len(s.Upstreams)-1)]
		if u.ID != m.upstream().id() || seen[u.Name] {
			continue // the list has just changed, or two have one name
		}
		seen[u.Name] = true
		for h, name := range [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"} {
			count(descRequests, float64(m.codes[h].Load()), u.Name, name)
		}
		healthy := 0.0
		if u.State == "up" || u.State == "ramping" {
			healthy = 1
		}
		gauge(descHealthy, healthy, u.Name)
		gauge(descInFlight, float64(u.InFlight), u.Name)
		gauge(descStreams, float64(m.streams.Load()), u.Name)
		gauge(descLimit, float64(u.Limit), u.Name)
		count(descDials, float64(u.Dials), u.Name)
		gauge(descLatency, u.P50, u.Name, "0.5")
		gauge(descLatency, u.P99, u.Name, "0.99")
		gauge(descRamp, u.Ramp, u.Name)
	}
}
