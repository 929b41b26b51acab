package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/topology"
)

// clusterFacts are a server's place in the cluster, as people read it.
type clusterFacts struct {
	Server    string         `json:"server"`
	Address   string         `json:"address,omitempty"`
	Tailer    string         `json:"tailer"` // the server that reads the log for all
	Term      uint64         `json:"term"`
	Reads     bool           `json:"readsLog"` // this one does
	Standby   bool           `json:"standby"`  // this one is ready to
	Timeline  uint32         `json:"timeline"`
	Base      string         `json:"base"`
	Frontier  string         `json:"frontier"`
	Safe      string         `json:"safe"`
	LeaseMS   float64        `json:"leaseMs"` // what is left of it; below 0: since when it has ended
	LagMS     *float64       `json:"lagMs,omitempty"`
	LagBytes  *uint64        `json:"lagBytes,omitempty"`
	Waiting   int            `json:"waiting"` // answers that wait until everybody knows
	Problem   string         `json:"problem,omitempty"`
	Members   []memberFacts  `json:"members"`
	Counts    cluster.Counts `json:"counts"`
	ForOthers []peerFacts    `json:"followers,omitempty"` // of the one who reads the log
}

type memberFacts struct {
	Server  string `json:"server"`
	Address string `json:"address,omitempty"`
	Version string `json:"version"`
}

type peerFacts struct {
	Server      string  `json:"server"`
	Frontier    string  `json:"frontier"`
	BehindBytes uint64  `json:"behindBytes"`
	LeaseMS     float64 `json:"leaseMs"` // no more than that is left of it; 0: it has none
	Counted     bool    `json:"counted"`
	Standby     bool    `json:"standby"`
}

// streamLag is how far what a server has heard of commits is behind the primary's log;
// nil: that is not known.
type streamLag struct {
	// Bytes of the log that the primary had on its disk by the last probe but one, a tenth
	// of a second ago, and that have not been heard of. What holds no commit is heard of
	// too, within hundredths of a second: an idle primary, a vacuum or a bulk load under
	// way are no lag. Not known while there is no primary, or another one than the stream's.
	bytes *uint64
	// ms is for how long the server has not been sure, in milliseconds, to know all that
	// the primary has: what its lease is made of tells. 0 while it has one and lacks no
	// bytes, as of a replica that has all there is; not known before it first was sure.
	ms *float64
}

func lagOf(s cluster.Status, hosts topology.Status) (lag streamLag) {
	if hosts.Flush != 0 && hosts.Timeline == s.Epoch.Timeline {
		bytes := uint64(hosts.Flush - min(hosts.Flush, s.Frontier))
		lag.bytes = &bytes
	}
	if s.Age >= 0 {
		ms := millis(s.Age)
		if s.Leased && lag.bytes != nil && *lag.bytes == 0 {
			ms = 0
		}
		lag.ms = &ms
	}
	return lag
}

func factsOf(s cluster.Status, lag streamLag) clusterFacts {
	f := clusterFacts{
		Server: s.Self.ID, Address: s.Self.Address, Tailer: s.Tailer.Holder, Term: s.Tailer.Term, Reads: s.Reigns, Standby: s.Standby,
		Timeline: s.Epoch.Timeline, Base: s.Base.LSN(), Frontier: s.Frontier.LSN(), Safe: s.Safe.LSN(),
		LeaseMS: millis(s.Lease), LagMS: lag.ms, LagBytes: lag.bytes, Waiting: s.Waiting, Problem: s.Problem, Counts: s.Counts,
		Members: []memberFacts{},
	}
	for _, m := range s.Members {
		f.Members = append(f.Members, memberFacts{m.ID, m.Address, m.Version})
	}
	for _, p := range s.Peers {
		f.ForOthers = append(f.ForOthers, peerFacts{p.ID, p.Frontier.LSN(), uint64(p.Behind), millis(p.Lease), p.Counted, p.Standby})
	}
	return f
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// clusterMetrics shows the same to machines.
type clusterMetrics struct {
	status func() cluster.Status
	hosts  func() topology.Status
}

var (
	clusterMembers   = prometheus.NewDesc("pando_cluster_members", "Servers registered at the database.", nil, nil)
	clusterTailer    = prometheus.NewDesc("pando_cluster_tailer", "1 on the server that reads the database's log for all.", nil, nil)
	clusterLease     = prometheus.NewDesc("pando_cluster_lease_seconds", "For how long this server may still believe what it knows; below 0, since when it may not.", nil, nil)
	clusterFrontier  = prometheus.NewDesc("pando_cluster_frontier_bytes", "The position of the log up to which this server knows of every commit.", nil, nil)
	clusterBehind    = prometheus.NewDesc("pando_cluster_settling_bytes", "By how much the position that every server knows of is behind the frontier.", nil, nil)
	clusterLag       = prometheus.NewDesc("pando_cluster_stream_lag_seconds", "For how long this server has not been sure to know all that the primary has; 0 while it has a lease and lacks nothing.", nil, nil)
	clusterLagBytes  = prometheus.NewDesc("pando_cluster_stream_lag_bytes", "Bytes of the log that were on the primary's disk a tenth of a second ago and that this server has not heard of.", nil, nil)
	clusterWaiting   = prometheus.NewDesc("pando_cluster_waiting_answers", "Answers that wait until every server knows of what they show.", nil, nil)
	clusterJoins     = prometheus.NewDesc("pando_cluster_joins_total", "Times that this server began anew, from another one's knowledge.", nil, nil)
	clusterGaps      = prometheus.NewDesc("pando_cluster_gaps_total", "Times that a part of the log was missed, which empties the caches.", nil, nil)
	clusterTakeovers = prometheus.NewDesc("pando_cluster_takeovers_total", "Times that this server began to read the log for all.", nil, nil)
	clusterDropped   = prometheus.NewDesc("pando_cluster_dropped_total", "Servers that were not waited for any longer.", nil, nil)
)

// newCommitHeld counts how long answers to commits waited until every server knew of them.
func newCommitHeld() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "pando_cluster_commit_held_seconds", Help: "From the return of COMMIT until every server knew of it and it was answered.",
		Buckets: prometheus.ExponentialBucketsRange(0.0001, 1, 29),
	})
}

// Describe implements prometheus.Collector.
func (m clusterMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		clusterMembers, clusterTailer, clusterLease, clusterFrontier, clusterBehind, clusterLag, clusterLagBytes, clusterWaiting,
		clusterJoins, clusterGaps, clusterTakeovers, clusterDropped,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m clusterMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.status()
	lag := lagOf(s, m.hosts())
	if lag.ms != nil {
		to <- prometheus.MustNewConstMetric(clusterLag, prometheus.GaugeValue, *lag.ms/1000)
	}
	if lag.bytes != nil {
		to <- prometheus.MustNewConstMetric(clusterLagBytes, prometheus.GaugeValue, float64(*lag.bytes))
	}
	for d, v := range map[*prometheus.Desc]float64{
		clusterMembers: float64(len(s.Members)), clusterTailer: one(s.Reigns), clusterLease: s.Lease.Seconds(),
		clusterFrontier: float64(s.Frontier), clusterBehind: float64(s.Frontier - min(max(s.Safe, s.Base), s.Frontier)), clusterWaiting: float64(s.Waiting),
	} {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	for d, v := range map[*prometheus.Desc]uint64{
		clusterJoins: s.Counts.Joins, clusterGaps: s.Counts.Gaps, clusterTakeovers: s.Counts.Takeovers, clusterDropped: s.Counts.Dropped,
	} {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
}
