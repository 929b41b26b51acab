package lb

import (
	"net/netip"
	"sync"
	"time"
)

// clients counts what each client has: connections, and requests of this second.
type clients struct {
	conns, perClient, rate int

	mu    sync.Mutex // guards what follows
	total int
	by    map[netip.Addr]*client
}

type client struct {
	conns  int
	second int64
	n      int // requests in that second
}

func newClients(l Limits) *clients {
	return &clients{conns: l.Conns, perClient: l.ConnsPerClient, rate: l.RatePerClient, by: map[netip.Addr]*client{}}
}

// keyOf is what counts as one client: an IPv4 address, or an IPv6 network of one site.
func keyOf(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		p, err := addr.Prefix(64)
		if err == nil {
			return p.Addr()
		}
	}
	return addr
}

// enter counts a connection, and tells whether it may be.
func (c *clients) enter(addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns > 0 && c.total >= c.conns {
		return false
	}
	key := keyOf(addr)
	who := c.by[key]
	if who == nil {
		who = &client{}
		c.by[key] = who
	}
	if c.perClient > 0 && who.conns >= c.perClient {
		return false
	}
	who.conns++
	c.total++
	return true
}

// left uncounts a connection. A client without any is forgotten.
func (c *clients) left(addr netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	key := keyOf(addr)
	if who := c.by[key]; who != nil {
		if who.conns--; who.conns <= 0 && who.second < time.Now().Unix() {
			delete(c.by, key)
		}
	}
}

// request counts a request of whoever is at the other end of remote.
func (c *clients) request(remote string, now time.Time) bool {
	if c.rate <= 0 {
		return true
	}
	ap, err := netip.ParseAddrPort(remote)
	return err != nil || c.requested(ap.Addr(), now)
}

// requested counts a request of addr.
func (c *clients) requested(addr netip.Addr, now time.Time) bool {
	if c.rate <= 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := keyOf(addr)
	who := c.by[key]
	if who == nil {
		who = &client{}
		c.by[key] = who
	}
	if second := now.Unix(); who.second != second {
		who.second, who.n = second, 0
	}
	who.n++
	return who.n <= c.rate
}

// tidy forgets clients without connections, and tells how many connections there are.
func (c *clients) tidy(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, who := range c.by {
		if who.conns <= 0 && who.second < now.Unix() {
			delete(c.by, key)
		}
	}
	return c.total
}

func (c *clients) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}
