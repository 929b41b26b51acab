package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando/internal/store/cached"
)

// cacheFacts are what operators are shown of the caches.
type cacheFacts struct {
	Memory      memoryFacts       `json:"memory"`
	Collections []collectionFacts `json:"collections"`
	Shadows     shadowFacts       `json:"shadowReads"`
	Servers     []tierFacts       `json:"servers,omitempty"`
	Rejected    *rejectedFacts    `json:"rejected,omitempty"` // of what the servers gave
}

type memoryFacts struct {
	Hits   uint64 `json:"hits"`
	Tier   uint64 `json:"tier"` // answered by a cache server
	Fills  uint64 `json:"fills"`
	Shared uint64 `json:"shared"`
	Stale  uint64 `json:"stale"`
}

type collectionFacts struct {
	ID      string `json:"id"`
	Memory  uint64 `json:"memory"` // about
	Fills   uint64 `json:"fills"`
	Hits    uint64 `json:"hits"`
	Stale   uint64 `json:"stale"`
	Misses  uint64 `json:"misses"`
	Awaited uint64 `json:"awaited"`
	KeptOut bool   `json:"keptOut"` // of the cache servers, as it changes too often
}

type shadowFacts struct {
	Checks     uint64  `json:"checks"`
	Violations uint64  `json:"violations"`
	Moved      uint64  `json:"moved"`
	Skipped    uint64  `json:"skipped"`
	Bound      float64 `json:"bound"` // of the share of wrong answers, at 95 % confidence
}

type tierFacts struct {
	Name      string  `json:"name"`
	State     string  `json:"state"` // up, trial or out
	Why       string  `json:"why,omitempty"`
	Hits      uint64  `json:"hits"`
	Misses    uint64  `json:"misses"`
	Late      uint64  `json:"late"`
	Failed    uint64  `json:"failed"`
	LeftOut   uint64  `json:"leftOut"`
	Outs      uint64  `json:"outs"`
	Puts      uint64  `json:"puts"`
	Dropped   uint64  `json:"dropped"`
	Refused   uint64  `json:"refused"`
	LatencyMS float64 `json:"latencyMs"`
}

type rejectedFacts struct {
	Stale   uint64 `json:"stale"`
	Epoch   uint64 `json:"epoch"`
	Forged  uint64 `json:"forged"`
	Foreign uint64 `json:"foreign"`
}

// cacheStatus is nil if there is no cache.
func (p *parts) cacheStatus() *cacheFacts {
	if p.cached == nil {
		return nil
	}
	counts, shadows := p.cached.Counts(), p.cached.Shadows()
	f := &cacheFacts{
		Memory:      memoryFacts{counts.Hits, counts.Tiered, counts.Misses, counts.Shared, counts.Stale},
		Shadows:     shadowFacts{shadows.Checks, shadows.Violations, shadows.Moved, shadows.Skipped, shadows.Bound()},
		Collections: []collectionFacts{},
	}
	rejected := &rejectedFacts{}
	for _, l := range p.cached.Labels() {
		f.Collections = append(f.Collections, collectionFacts{l.Collection, l.Memory, l.Fills, l.Hits, l.Stale, l.Misses, l.Awaited, l.Shut})
		rejected.Stale += l.Stale
	}
	if p.tier == nil {
		return f
	}
	stats := p.tier.Stats()
	rejected.Epoch, rejected.Forged, rejected.Foreign = stats.OldEpoch, stats.Forged, stats.Foreign
	f.Rejected = rejected
	for _, s := range stats.Servers {
		f.Servers = append(f.Servers, tierFacts{
			s.Name, s.State, s.Why, s.Hits, s.Misses, s.Late, s.Failed, s.LeftOut, s.Outs, s.Puts, s.Dropped, s.Refused,
			millis(s.Latency),
		})
	}
	return f
}

// measureTier adds the metrics of the cache servers, and of what is read again.
func (p *parts) measureTier() {
	if p.cached == nil {
		return
	}
	count := func(name, help string, f func(cached.ShadowCounts) uint64) {
		p.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(f(p.cached.Shadows())) }))
	}
	count("pando_shadow_reads_total", "Answers from a cache that were read again and compared.",
		func(c cached.ShadowCounts) uint64 { return c.Checks })
	count("pando_shadow_violations_total", "Of these, that were wrong. Anything but 0 is a defect of Pando.",
		func(c cached.ShadowCounts) uint64 { return c.Violations })
	p.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pando_shadow_bound", Help: "The share of wrong answers that there is not more of, at 95 % confidence, by the checks since the start.",
	}, func() float64 { return p.cached.Shadows().Bound() }))
	p.registry.MustRegister(tierMetrics{p})
}

// tierMetrics are of every cache server, and of every collection.
type tierMetrics struct{ parts *parts }

var (
	tierRequests = prometheus.NewDesc("pando_cache_server_requests_total",
		"Questions to a cache server, by what came of them: hit, miss, late (not answered in time), failed, left out (not asked).",
		[]string{"server", "result"}, nil)
	tierPuts = prometheus.NewDesc("pando_cache_server_puts_total",
		"Answers for a cache server: stored, dropped (not sent), refused (not taken).", []string{"server", "result"}, nil)
	tierUp       = prometheus.NewDesc("pando_cache_server_up", "1 if it is asked, 0 if it is left out.", []string{"server"}, nil)
	tierLatency  = prometheus.NewDesc("pando_cache_server_seconds", "What an answer takes, smoothed.", []string{"server"}, nil)
	tierRejected = prometheus.NewDesc("pando_cache_tier_rejected_total",
		"What cache servers gave and was not used: forged (not sealed by this cluster under its key), foreign (another form), epoch (from before a failover), stale (something changed since).",
		[]string{"cause"}, nil)
	collectionReads = prometheus.NewDesc("pando_cache_collection_total",
		"Reads by collection: memory (hits, estimated by sampling), fill (the database was asked), hit, stale, miss (of the cache servers), awaited (filled by another server meanwhile).",
		[]string{"collection", "result"}, nil)
)

// Describe implements prometheus.Collector.
func (m tierMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tierRequests, tierPuts, tierUp, tierLatency, tierRejected, collectionReads} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m tierMetrics) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	stale := uint64(0)
	for _, l := range m.parts.cached.Labels() {
		id := l.Collection
		count(collectionReads, l.Memory, id, "memory")
		count(collectionReads, l.Fills, id, "fill")
		if m.parts.tier == nil {
			continue
		}
		stale += l.Stale
		count(collectionReads, l.Hits, id, "hit")
		count(collectionReads, l.Stale, id, "stale")
		count(collectionReads, l.Misses, id, "miss")
		count(collectionReads, l.Awaited, id, "awaited")
	}
	if m.parts.tier == nil {
		return
	}
	stats := m.parts.tier.Stats()
	count(tierRejected, stats.Forged, "forged")
	count(tierRejected, stats.Foreign, "foreign")
	count(tierRejected, stats.OldEpoch, "epoch")
	count(tierRejected, stale, "stale")
	for _, s := range stats.Servers {
		count(tierRequests, s.Hits, s.Name, "hit")
		count(tierRequests, s.Misses, s.Name, "miss")
		count(tierRequests, s.Late, s.Name, "late")
		count(tierRequests, s.Failed, s.Name, "failed")
		count(tierRequests, s.LeftOut, s.Name, "left out")
		count(tierPuts, s.Puts, s.Name, "stored")
		count(tierPuts, s.Dropped, s.Name, "dropped")
		count(tierPuts, s.Refused, s.Name, "refused")
		up := 1.0
		if s.State == "out" {
			up = 0
		}
		out <- prometheus.MustNewConstMetric(tierUp, prometheus.GaugeValue, up, s.Name)
		out <- prometheus.MustNewConstMetric(tierLatency, prometheus.GaugeValue, s.Latency.Seconds(), s.Name)
	}
}
