package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando/internal/store/postgres"
	"github.com/pandobase/pando/internal/topology"
)

// hostMetrics shows the hosts of a database as metrics.
type hostMetrics struct {
	status func() topology.Status
	served func() []postgres.Served
}

var (
	hostUp = prometheus.NewDesc("pando_db_host_up", "1 while the host answers.", []string{"host"}, nil)
	// One series for each role, so that a change of role ends none.
	hostRole     = prometheus.NewDesc("pando_db_host_role", "1 for the role that the host has: primary, replica, refused or unknown.", []string{"host", "role"}, nil)
	hostEligible = prometheus.NewDesc("pando_db_host_eligible", "1 while the host is used: for writes, or for reads.", []string{"host"}, nil)
	hostTimeline = prometheus.NewDesc("pando_db_host_timeline", "The timeline of the host's log; it grows with each failover.", []string{"host"}, nil)
	hostInFlight = prometheus.NewDesc("pando_db_host_inflight", "Reads and writes under way on the host.", []string{"host"}, nil)
	hostReads    = prometheus.NewDesc("pando_db_reads_total", "Reads that the host has answered, by the role that it had.", []string{"host", "role"}, nil)
	lagSeconds   = prometheus.NewDesc("pando_replica_lag_seconds", "Age of the last commit that the replica has replayed; 0 if it has all there is.", []string{"replica"}, nil)
	lagBytes     = prometheus.NewDesc("pando_replica_lag_bytes", "Bytes of the log that the replica has not replayed yet.", []string{"replica"}, nil)
)

var roles = []string{"primary", "replica", "refused", "unknown"}

// Describe implements prometheus.Collector.
func (h hostMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{hostUp, hostRole, hostEligible, hostTimeline, hostInFlight, hostReads, lagSeconds, lagBytes} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (h hostMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, s := range h.served() {
		to <- prometheus.MustNewConstMetric(hostReads, prometheus.CounterValue, float64(s.Primary), s.Host, "primary")
		to <- prometheus.MustNewConstMetric(hostReads, prometheus.CounterValue, float64(s.Replica), s.Host, "replica")
	}
	for _, m := range h.status().Members {
		gauge(hostUp, one(m.Contact == "answers"), m.Host)
		for _, role := range roles {
			gauge(hostRole, one(m.Role == role), m.Host, role)
		}
		gauge(hostEligible, one(m.Eligible), m.Host)
		gauge(hostTimeline, float64(m.Timeline), m.Host)
		gauge(hostInFlight, float64(m.InFlight), m.Host)
		if m.Role == "replica" {
			gauge(lagSeconds, m.LagMS/1000, m.Host)
			gauge(lagBytes, float64(m.LagBytes), m.Host)
		}
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
