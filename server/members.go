package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/position"
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
	Server      string `json:"server"`
	Frontier    string `json:"frontier"`
	BehindBytes uint64 `json:"behindBytes"`
	Counted     bool   `json:"counted"`
	Standby     bool   `json:"standby"`
}

func factsOf(s cluster.Status) clusterFacts {
	f := clusterFacts{
		Server: s.Self.ID, Address: s.Self.Address, Tailer: s.Tailer.Holder, Term: s.Tailer.Term, Reads: s.Reigns, Standby: s.Standby,
		Timeline: s.Epoch.Timeline, Base: s.Base.LSN(), Frontier: s.Frontier.LSN(), Safe: s.Safe.LSN(),
		LeaseMS: float64(s.Lease) / float64(time.Millisecond), Waiting: s.Waiting, Problem: s.Problem, Counts: s.Counts,
		Members: []memberFacts{},
	}
	for _, m := range s.Members {
		f.Members = append(f.Members, memberFacts{m.ID, m.Address, m.Version})
	}
	for _, p := range s.Peers {
		f.ForOthers = append(f.ForOthers, peerFacts{p.ID, p.Frontier.LSN(), uint64(p.Behind), p.Counted, p.Standby})
	}
	return f
}

// clusterMetrics shows the same to machines.
type clusterMetrics struct {
	status func() cluster.Status
	clock  *position.Clock
}

var (
	clusterMembers   = prometheus.NewDesc("pando_cluster_members", "Servers registered at the database.", nil, nil)
	clusterTailer    = prometheus.NewDesc("pando_cluster_tailer", "1 on the server that reads the database's log for all.", nil, nil)
	clusterLease     = prometheus.NewDesc("pando_cluster_lease_seconds", "For how long this server may still believe what it knows; below 0, since when it may not.", nil, nil)
	clusterFrontier  = prometheus.NewDesc("pando_cluster_frontier_bytes", "The position of the log up to which this server knows of every commit.", nil, nil)
	clusterBehind    = prometheus.NewDesc("pando_cluster_settling_bytes", "By how much the position that every server knows of is behind the frontier.", nil, nil)
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
		clusterMembers, clusterTailer, clusterLease, clusterFrontier, clusterBehind, clusterWaiting,
		clusterJoins, clusterGaps, clusterTakeovers, clusterDropped,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m clusterMetrics) Collect(to chan<- prometheus.Metric) {
	s := m.status()
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
