package cached

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/pandobase/pando/internal/cache"
	"github.com/pandobase/pando/internal/position"
	"github.com/pandobase/pando/internal/store"
)

// siteOf is where r reads, as far as it tells.
func siteOf(r store.Reader) (from cache.From, host string) {
	sited, ok := r.(store.Sited)
	if !ok {
		return cache.FromDatabase, ""
	}
	host, replica := sited.Site()
	switch {
	case host == "":
		return cache.FromDatabase, ""
	case replica:
		return cache.FromReplica, host
	}
	return cache.FromPrimary, host
}

// hosts number the servers of the database: a fact has a byte for the one that it is
// from. The zero value knows none.
type hosts struct {
	mu    sync.Mutex
	names []string
}

func (h *hosts) number(name string) uint8 {
	if name == "" {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.names, name)
	if i < 0 && len(h.names) < 255 {
		i = len(h.names)
		h.names = append(h.names, name)
	}
	return uint8(i + 1)
}

// name is "" where it is not known.
func (h *hosts) name(n uint8) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n == 0 || int(n) > len(h.names) {
		return ""
	}
	return h.names[n-1]
}

// history remembers the facts that were made last, of all keys: when one of them was
// wrong, what became of its key before. It takes 100 KB.
type history struct {
	mu   sync.Mutex
	ring []moment
	next int
}

// moment is when a fact was kept.
type moment struct {
	key  uint64 // its hash
	s    position.N
	made cache.Made
}

const historyMost = 4096

func (h *history) note(f *cache.Fact) {
	m := moment{xxhash.Sum64String(f.Key), f.S, f.Made}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ring) < historyMost {
		h.ring = append(h.ring, m)
		return
	}
	h.ring[h.next] = m
	h.next = (h.next + 1) % historyMost
}

// of are the moments of a key, the oldest first.
func (h *history) of(key string) (list []moment) {
	sum := xxhash.Sum64String(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.ring {
		if m := h.ring[(h.next+i)%len(h.ring)]; m.key == sum {
			list = append(list, m)
		}
	}
	return list
}

// words say where and when a fact was made.
func (f *Facts) words(s position.N, m cache.Made) string {
	from := m.From.String()
	if host := f.hosts.name(m.Host); host != "" {
		from += " (" + host + ")"
	}
	return fmt.Sprintf("%s from %s in %v, stamp %d", time.Now().Add(-m.Age()).UTC().Format(madeAt), from, m.Took(), s)
}

// madeAt is as exact as it is known.
const madeAt = "2006-01-02T15:04:05.00Z"
