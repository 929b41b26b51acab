package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
)

// cable stands between a store and its server: it counts round trips, and cuts
// connections in the middle of what is said. What the watcher asks does not count.
type cable struct {
	mu       sync.Mutex
	trips    int
	sent     int // messages of the client, since armed
	received int // messages of the server, since armed
	cutSent  int // cut before this message of the client; 0: never
	cutAfter int // cut before this message of the server; 0: never
	armed    bool
	cuts     int
}

func (w *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cableConn{Conn: c, cable: w}, nil
}

// count is how many round trips fn takes.
func (w *cable) count(fn func()) int {
	w.mu.Lock()
	w.trips = 0
	w.mu.Unlock()
	fn()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trips
}

// arm makes the cable cut, once, before the given message of the client or of the
// server.
func (w *cable) arm(sent, received int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.sent, w.received, w.cutSent, w.cutAfter, w.cuts = true, 0, 0, sent, received, 0
}

// disarm tells whether it has cut.
func (w *cable) disarm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = false
	return w.cuts > 0
}

type cableConn struct {
	net.Conn
	cable *cable
	probe bool // the watcher's
	wrote bool // since the last read
	rest  int  // bytes of the server's present message that are still to come
	head  []byte
}

var errCut = errors.New("the test has cut the connection")

// Write passes on what the client says, whole messages at a time.
func (c *cableConn) Write(p []byte) (int, error) {
	w := c.cable
	w.mu.Lock()
	c.probe = c.probe || bytes.Contains(p, []byte("pg_control_system"))
	c.wrote = true
	pass, cut := len(p), false
	if w.armed && !c.probe {
		for at := 0; at+5 <= len(p) && !cut; {
			w.sent++
			if w.sent == w.cutSent {
				pass, cut = at, true
				break
			}
			at += 1 + int(binary.BigEndian.Uint32(p[at+1:]))
		}
	}
	if cut {
		w.armed = false
		w.cuts++
	}
	w.mu.Unlock()
	if pass > 0 {
		if n, err := c.Conn.Write(p[:pass]); err != nil {
			return n, err
		}
	}
	if cut {
		c.Close()
		return pass, errCut
	}
	return len(p), nil
}

// Read passes on what the server says, and cuts between two of its messages.
func (c *cableConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	w := c.cable
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.wrote && !c.probe && n > 0 {
		w.trips++
		c.wrote = false
	}
	if !w.armed || c.probe || w.cutAfter == 0 {
		c.rest, c.head = 0, nil
		return n, err
	}
	for at := 0; at < n; {
		if c.rest > 0 {
			step := min(c.rest, n-at)
			c.rest -= step
			at += step
			continue
		}
		c.head = append(c.head, p[at])
		at++
		if len(c.head) == 1 {
			w.received++
			if w.received == w.cutAfter {
				w.armed = false
				w.cuts++
				c.Close()
				return at - 1, errCut
			}
		}
		if len(c.head) == 5 {
			c.rest = int(binary.BigEndian.Uint32(c.head[1:])) - 4
			c.head = nil
		}
	}
	return n, err
}
