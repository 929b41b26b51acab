package lb

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Upstream is one web server behind the balancer, as a list or a Source tells of it.
type Upstream struct {
	// ID is its identity for as long as it lives: what was measured of it is kept while
	// the ID is told of. "" means the address.
	ID   string
	Name string // for people; "" means the address
	// Address is host:port. It is what is dialed unless there is a Dial.
	Address string
	// Dial opens a connection that HTTP/1.1 can be spoken on at once. It must heed its
	// context. nil: TCP to Address, and TLS on it if TLS is not nil.
	Dial func(ctx context.Context) (net.Conn, error)
	TLS  *tls.Config
	// Draining takes no new requests; those under way are finished.
	Draining bool
	// Since is when it began to serve: what has just begun gets its full share only
	// after a while. Zero: when the balancer sees it ready first.
	Since time.Time
	// Load is how busy it last said it was, from 0 to 1. The header X-Pando-Load of
	// its answers is newer, where there is one.
	Load float64
}

func (u Upstream) id() string   { return cmp.Or(u.ID, u.Address) }
func (u Upstream) name() string { return cmp.Or(u.Name, u.Address) }

// Source tells of the upstreams there are.
type Source interface {
	// Follow calls set with the whole list at once, and again whenever it changes,
	// until ctx ends. set does not block for long and may be called from any goroutine,
	// but not by two at once. If Follow returns before ctx ends, it is called again after
	// a moment, and what was told last holds until then: a registry that is gone takes
	// no server away.
	Follow(ctx context.Context, set func([]Upstream)) error
}
