package server

import (
	"math"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// status is what /readyz?verbose shows.
func (s *Server) status() map[string]any {
	facts := map[string]any{
		"version": s.cfg.Version, "mode": "single", "database": s.parts.store.kind,
		"files":           s.parts.blobs.kind,
		"uptimeSeconds":   int64(time.Since(s.began).Seconds()),
		"cpus":            runtime.GOMAXPROCS(0),
		"memoryBytes":     s.limits.memory,
		"memoryLimited":   s.limits.limited,
		"cacheLimitBytes": s.limits.cache,
		"bodyLimitBytes":  s.limits.bodies,
		"readers":         s.limits.readers,
		"catalogVersion":  s.parts.store.Catalog().Version,
	}
	if s.limits.gc < math.MaxInt64 {
		facts["gcLimitBytes"] = s.limits.gc
	} else {
		facts["gcLimitBytes"] = "none"
	}
	if p := s.parts; p.cache != nil {
		cache, counts := p.cache.Stats(), p.cached.Counts()
		facts["cacheBytes"], facts["cacheEntries"] = cache.Bytes, cache.Entries
		facts["cacheHits"], facts["cacheMisses"] = counts.Hits, counts.Misses
		facts["cache"] = p.cacheStatus()
	}
	if hosts := s.parts.store.hosts; hosts != nil {
		facts["hosts"] = hosts()
	}
	if m := s.parts.store.member; m != nil {
		st := m.node.Status()
		facts["cluster"] = factsOf(st, lagOf(st, s.parts.store.hosts()))
		if m.self.Address != "" {
			facts["mode"] = "cluster"
		}
	}
	if c := s.certs.Load(); c != nil {
		facts["certificates"] = c.Status()
	}
	if h := s.parts.handler.Load(); h != nil {
		facts["requests"] = h.Overload()
	}
	facts["passwordsWaiting"] = s.parts.passwords.Stats().Queued
	facts["realtimeClients"] = s.parts.realtime.Stats().Clients
	facts["changesWaiting"] = s.parts.stream.Stats().Batches
	return facts
}

// measure adds the metrics of the parts below the edge.
func (p *parts) measure() {
	counter := func(name, help string, labels prometheus.Labels, f func() float64) {
		p.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, f))
	}
	gauge := func(name, help string, f func() float64) {
		p.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	if p.store.hosts == nil {
		counter("pando_db_reads_total", "Snapshots of the database opened to read from.", nil, func() float64 { return float64(p.store.counts().reads) })
	}
	counter("pando_db_writes_total", "Transactions kept.", nil, func() float64 { return float64(p.store.counts().writes) })
	counter("pando_db_commits_total", "Groups of transactions written to disk together.", nil, func() float64 { return float64(p.store.counts().commits) })
	if p.store.hosts != nil {
		counter("pando_db_retries_total", "Transactions run again, because others were in their way.", nil, func() float64 { return float64(p.store.counts().retries) })
		p.registry.MustRegister(hostMetrics{p.store.hosts, p.store.served})
	}
	if m := p.store.member; m != nil {
		p.registry.MustRegister(clusterMetrics{m.node.Status, p.store.hosts}, p.store.held)
	}
	if p.cache != nil {
		const name, help = "pando_cache_requests_total", "Reads through the cache, by how they were answered."
		label := func(result string) prometheus.Labels { return prometheus.Labels{"tier": "memory", "result": result} }
		counter(name, help, label("hit"), func() float64 { return float64(p.cached.Counts().Hits) })
		counter(name, help, label("miss"), func() float64 { return float64(p.cached.Counts().Misses) })
		counter(name, help, label("shared"), func() float64 { return float64(p.cached.Counts().Shared) })
		counter("pando_cache_stale_total", "Misses of which the cache held something out of date.", nil,
			func() float64 { return float64(p.cached.Counts().Stale) })
		counter("pando_cache_evictions_total", "Facts that had to make room.", nil, func() float64 { return float64(p.cache.Stats().Evictions) })
		gauge("pando_cache_bytes", "Bytes in the cache, by its own reckoning.", func() float64 { return float64(p.cache.Stats().Bytes) })
		gauge("pando_cache_entries", "Facts in the cache.", func() float64 { return float64(p.cache.Stats().Entries) })
	}
	p.measureTier()
	gauge("pando_changes_waiting", "Commits that followers of the changes have not seen yet.", func() float64 { return float64(p.stream.Stats().Batches) })
	counter("pando_realtime_messages_total", "Events put into clients' queues.", nil, func() float64 { return float64(p.realtime.Stats().Sent) })
	counter("pando_realtime_slow_clients_total", "Clients cut off because they did not keep up.", nil,
		func() float64 { return float64(p.realtime.Stats().Slow) })
	gauge("pando_auth_queue", "Passwords waiting to be checked.", func() float64 { return float64(p.passwords.Stats().Queued) })
	counter("pando_auth_queue_seconds_total", "Time that passwords waited to be checked.", nil,
		func() float64 { return p.passwords.Stats().Waited.Seconds() })
	counter("pando_auth_queue_refused_total", "Logins turned away because too many waited.", nil,
		func() float64 { return float64(p.passwords.Stats().Refused) })
}
