package redis

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"

	"github.com/pandobase/pando/internal/cache"
)

const (
	maxQueued     = 1024     // puts that wait for one server
	maxQueueBytes = 16 << 20 // of them
	maxTogether   = 32       // in one round trip
	maxTogetherB  = 256 << 10
)

// put is an entry on its way to a server, or the end of a claim.
type put struct {
	name  name
	entry *cache.Entry // nil: only the claim ends
	ttl   time.Duration
}

func (p put) size() int64 {
	if p.entry == nil {
		return 0
	}
	return int64(len(p.entry.Key) + len(p.entry.Value) + 8*len(p.entry.Tags))
}

// packFunc makes the bytes of an entry.
type packFunc func(*cache.Entry) ([]byte, error)

// packed is nil if there is nothing to send.
func packed(p put, pack packFunc) []byte {
	if p.entry == nil {
		return nil
	}
	data, err := pack(p.entry)
	if err != nil {
		return nil
	}
	return data
}

// put queues p, or drops it: whoever puts does not wait.
func (s *server) put(p put) {
	if s.client.Load() != nil {
		if s.queued.Add(p.size()) <= maxQueueBytes {
			select {
			case s.puts <- p:
				return
			default:
			}
		}
		s.queued.Add(-p.size())
	}
	if p.entry != nil {
		s.counts.dropped.Add(1)
	}
}

// work sends the puts until the server goes out.
func (s *server) work(ctx context.Context, c *client, pack packFunc) {
	_, _, gone := s.breaker.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-gone:
			return
		case p := <-s.puts:
			s.send(c, p, pack)
		}
	}
}

// send sends p, and what else waits, in one round trip.
func (s *server) send(c *client, p put, pack packFunc) {
	var list []rueidis.Completed
	entries, bytes := uint64(0), 0
	for more := true; more; {
		s.queued.Add(-p.size())
		if data := packed(p, pack); data != nil {
			// ± 10 %: what was put together does not go together.
			ttl := time.Duration(float64(p.ttl) * (0.9 + 0.2*rand.Float64()))
			list = append(list, c.B().Set().Key(p.name.text).Value(rueidis.BinaryString(data)).Px(ttl).Build())
			entries++
			bytes += len(data)
		}
		// After the entry: whoever finds no lock finds the entry.
		list = append(list, c.B().Del().Key(p.name.text+lockSuffix).Build())
		if more = len(list) < 2*maxTogether && bytes < maxTogetherB; more {
			select {
			case p = <-s.puts:
			default:
				more = false
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectWait)
	defer cancel()
	var refused uint64
	for _, r := range c.DoMulti(ctx, list...) {
		if err := r.NonRedisError(); err != nil && !rueidis.IsRedisNil(err) {
			s.counts.failed.Add(1)
			s.counts.dropped.Add(entries)
			s.breaker.fail("it does not take entries: " + err.Error())
			return
		}
		if r.Error() != nil { // full, and nothing that may go; or the user may not
			refused++
		}
	}
	s.counts.refused.Add(refused)
	s.counts.puts.Add(entries - min(refused, entries))
}
