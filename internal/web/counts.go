package web

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/pandobase/pando/internal/system"
)

// uncounted are routes that say nothing of how clients are served: event streams last
// as long as their clients like, and health is asked for by machines.
var uncounted = map[string]bool{"/api/realtime": true, "/livez": true, "/readyz": true, "/api/health": true}

// Counts are what the metrics of requests add up to, over all routes but a few. They
// are read from the metrics, so that requests pay for them once.
func (h *Handler) Counts() (c system.Counts) {
	each(h.metrics.duration, func(labels map[string]string, m *dto.Metric) {
		if uncounted[labels["route"]] {
			return
		}
		buckets := m.GetHistogram().GetBucket()
		if c.Buckets == nil {
			c.Buckets = make([]uint64, len(buckets)+1)
			for _, b := range buckets {
				c.Bounds = append(c.Bounds, b.GetUpperBound())
			}
		}
		for i, b := range buckets {
			c.Buckets[i] += b.GetCumulativeCount()
		}
		n := m.GetHistogram().GetSampleCount()
		c.Buckets[len(buckets)] += n
		c.Requests += n
	})
	each(h.metrics.requests, func(labels map[string]string, m *dto.Metric) {
		if !uncounted[labels["route"]] && strings.HasPrefix(labels["code"], "5") {
			c.Errors += uint64(m.GetCounter().GetValue())
		}
	})
	return c
}

// InFlight is how many requests are being answered, event streams included.
func (h *Handler) InFlight() int64 {
	var m dto.Metric
	_ = h.metrics.inflight.Write(&m) // a gauge can be written
	return int64(m.GetGauge().GetValue())
}

func each(c prometheus.Collector, f func(labels map[string]string, m *dto.Metric)) {
	metrics := make(chan prometheus.Metric, 64)
	go func() { c.Collect(metrics); close(metrics) }()
	for metric := range metrics {
		var m dto.Metric
		if metric.Write(&m) != nil {
			continue // it would be a metric that the vector itself has made
		}
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		f(labels, &m)
	}
}
