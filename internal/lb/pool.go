package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Bounds of an upstream's idle connections. Web servers keep idle ones longer.
const (
	maxIdle   = 1024
	idleAfter = 60 * time.Second
	// freshFor is how soon after an exchange a connection is trusted without a look,
	// for requests that may be sent again.
	freshFor = 50 * time.Millisecond
)

// pool keeps the connections of one upstream: idle ones, the last used first, so that
// as few as possible are warm; and those in use, for whoever watches for silence.
type pool struct {
	mu     sync.Mutex // guards what follows
	idle   []*upconn
	active map[*upconn]struct{}
	closed bool
}

// look says which idle connections are looked at before they are used.
type look uint8

const (
	lookIfOld  look = iota // those that have not served just now
	lookAlways             // what is sent over one that the upstream has closed may have reached it or not
	lookLater              // none that is direct: whoever asks over it looks itself
)

// get takes an idle connection that is sound, or dials.
func (m *member) get(ctx context.Context, l look) (*upconn, error) {
	for {
		m.pool.mu.Lock()
		n := len(m.pool.idle)
		if n == 0 {
			m.pool.mu.Unlock()
			break
		}
		c := m.pool.idle[n-1]
		m.pool.idle[n-1] = nil
		m.pool.idle = m.pool.idle[:n-1]
		m.pool.active[c] = struct{}{}
		m.pool.mu.Unlock()
		if age := time.Since(c.idleSince); age < idleAfter && (l == lookIfOld && age < freshFor || l == lookLater && c.direct != nil || sound(c.nc)) {
			c.reused = true
			return c, nil
		}
		m.drop(c)
	}
	nc, err := m.dial(ctx)
	if err != nil {
		return nil, err
	}
	m.dials.Add(1)
	c := newUpconn(m, nc)
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	m.pool.active[c] = struct{}{}
	return c, nil
}

// put gives a connection back after an exchange that left it sound.
func (m *member) put(c *upconn) { m.putAt(c, time.Now()) }

func (m *member) putAt(c *upconn, now time.Time) {
	c.idleSince = now
	c.asked.Store(0)
	m.pool.mu.Lock()
	delete(m.pool.active, c)
	if !m.pool.closed && len(m.pool.idle) < maxIdle {
		m.pool.idle = append(m.pool.idle, c)
		m.pool.mu.Unlock()
		return
	}
	m.pool.mu.Unlock()
	c.nc.Close()
}

// drop closes a connection.
func (m *member) drop(c *upconn) {
	m.pool.mu.Lock()
	delete(m.pool.active, c)
	m.pool.mu.Unlock()
	c.nc.Close()
}

// closeIdle closes the idle connections that have been so since before.
func (m *member) closeIdle(before time.Time) {
	m.pool.mu.Lock()
	n := 0
	for n < len(m.pool.idle) && m.pool.idle[n].idleSince.Before(before) {
		n++
	}
	old := append([]*upconn(nil), m.pool.idle[:n]...)
	m.pool.idle = append(m.pool.idle[:0], m.pool.idle[n:]...)
	m.pool.mu.Unlock()
	for _, c := range old {
		c.nc.Close()
	}
}

// closePool closes idle connections and keeps none from now on.
func (m *member) closePool() {
	m.pool.mu.Lock()
	m.pool.closed = true
	m.pool.mu.Unlock()
	m.closeIdle(time.Now().Add(time.Hour))
}

// dial opens a connection that HTTP/1.1 can be spoken on.
func (m *member) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, m.b.cfg.Limits.DialTimeout)
	defer cancel()
	u := m.upstream()
	if u.Dial != nil {
		return u.Dial(ctx)
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", u.Address)
	if err != nil || u.TLS == nil {
		return nc, err
	}
	config := u.TLS
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(u.Address)
	}
	tc := tls.Client(nc, config)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("TLS with %s: %w", u.Address, err)
	}
	return tc, nil
}

// errUnsound is a connection that must not be used again.
var errUnsound = errors.New("the idle connection was closed, or has bytes that nobody asked for")
