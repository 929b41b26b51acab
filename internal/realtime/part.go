package realtime

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/pandobase/pando/internal/changes"
)

// Clients believe that they are told of everything for as long as their connection
// lasts. Where that cannot be kept it ends: they come back, and read again. Nobody is to
// be overrun by those who do so because of one failover.
const (
	partPace = time.Millisecond // between two of them
	partMost = 10 * time.Second // and for all together
)

// part ends connections. What is subscribed to there is over at once.
func (s *Realtime) part(list []*client, why string) {
	if len(list) == 0 {
		return
	}
	s.mu.Lock()
	for _, c := range list {
		s.unsubscribe(c)
		s.setIdentity(c, nil)
	}
	s.mu.Unlock()
	s.log.Info("realtime: connections end, their clients come back", "why", why, "clients", len(list))
	spread := min(time.Duration(len(list))*partPace, partMost)
	for _, c := range list {
		time.AfterFunc(rand.N(spread), c.end)
	}
}

// partMissed ends the connections that a batch may have told less than there was.
func (s *Realtime) partMissed(b *changes.Batch) {
	switch {
	case b.Gap:
		s.part(s.occupied(), "changes may have been missed")
	case len(b.Missed) > 0:
		s.part(s.subscribed(b.Missed), "changes were not told one by one")
	}
}

// occupied lists the clients that are subscribed to something, or are somebody.
func (s *Realtime) occupied() (list []*client) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.clients {
		if len(c.subs) > 0 || c.auth != nil {
			list = append(list, c)
		}
	}
	return list
}

// subscribed lists the clients that are subscribed to one of these collections, or to a
// record there.
func (s *Realtime) subscribed(ids []string) []*client {
	refs := map[string]bool{}
	for _, id := range ids {
		refs[id] = true
		if c := s.store.Catalog().Collection(id); c != nil {
			refs[c.Name] = true
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := map[*client]bool{}
	for topic, subs := range s.topics {
		if ref, _, _ := strings.Cut(topic, "/"); !refs[ref] {
			continue
		}
		for sub := range subs {
			found[sub.client] = true
		}
	}
	return slices.Collect(maps.Keys(found))
}

// clientsOf lists whose connections an audience has.
func clientsOf(audience []member) []*client {
	found := map[*client]bool{}
	for _, m := range audience {
		found[m.sub.client] = true
	}
	return slices.Collect(maps.Keys(found))
}
