package redis

import (
	"time"

	"github.com/pandobase/pando/internal/position"
)

// Stats is what became of the questions to a tier since it was made.
type Stats struct {
	Servers []ServerStats
	// Entries that were there and not given out: not sealed by this cluster under
	// this name; not even of this form; of another timeline.
	Forged, Foreign, OldEpoch uint64
	Large                     uint64 // entries that were too large to be put
}

// ServerStats is of one server, since it was added.
type ServerStats struct {
	Name    string
	State   string // up, trial or out
	Why     string // it is out
	Hits    uint64
	Misses  uint64 // it has nothing, or nothing that can be trusted
	Late    uint64 // requests that waited in vain
	Failed  uint64 // lost connections, and answers that are errors
	LeftOut uint64 // requests that did not ask it, because it was out or too busy
	Outs    uint64 // how often it went out
	Puts    uint64
	Dropped uint64 // puts that were not sent
	Refused uint64 // puts that it did not take
	Queued  int64  // bytes that wait to be put
	Latency time.Duration
}

// Location implements cache.Located.
func (t *Tier) Location(epoch position.Epoch, key []byte) string {
	if s := t.ring.Load().of(t.names.of(epoch, key)); s != nil {
		return s.at.Name
	}
	return ""
}

// Stats counts.
func (t *Tier) Stats() Stats {
	out := Stats{
		Forged: t.forged.Load(), Foreign: t.foreign.Load(), OldEpoch: t.epoch.Load(),
		Large: t.large.Load(),
	}
	for _, s := range t.ring.Load().servers {
		state, why, _ := s.breaker.now()
		out.Servers = append(out.Servers, ServerStats{
			Name: s.at.Name, State: state.String(), Why: why,
			Hits: s.counts.hits.Load(), Misses: s.counts.misses.Load(), Late: s.counts.late.Load(), Failed: s.counts.failed.Load(),
			LeftOut: s.counts.leftOut.Load(), Outs: s.counts.outs.Load(), Puts: s.counts.puts.Load(), Dropped: s.counts.dropped.Load(),
			Refused: s.counts.refused.Load(), Queued: s.queued.Load(), Latency: time.Duration(s.breaker.lat.Load()),
		})
	}
	return out
}
