package redis

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// ring spreads keys over the servers by rendezvous hashing: each server has a
// score for each key, and the highest has it. A server that joins n others takes
// over the keys for which it scores highest, one in n + 1, and none move between
// the others. It is immutable.
type ring struct {
	servers []*server
	seeds   []uint64
}

func newRing(servers []*server) *ring {
	r := &ring{servers: servers}
	for _, s := range servers {
		r.seeds = append(r.seeds, xxhash.Sum64String(s.at.Name))
	}
	return r
}

// of is the server of a name, nil if there are no servers.
func (r *ring) of(n name) *server {
	if len(r.servers) == 0 {
		return nil
	}
	return r.servers[pick(r.seeds, n)]
}

// pick is the index of the highest score; seeds must not be empty.
func pick(seeds []uint64, n name) int {
	key := binary.LittleEndian.Uint64(n.sum[:])
	best, at := uint64(0), 0
	for i, seed := range seeds {
		if score := mix(key ^ seed); i == 0 || score > best {
			best, at = score, i
		}
	}
	return at
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
