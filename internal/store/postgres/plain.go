package postgres

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// onceRefused is a configuration for one connection, by which a server that has no TLS is
// not connected to twice. With sslmode=prefer, which is the default, pgconn closes the
// connection on which the server has said so, and makes another one: another process of
// PostgreSQL's, which it begins before it reads a word. The protocol lets the client go on
// with the one that there is, as libpq does: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
func onceRefused(cfg *pgconn.Config) *pgconn.Config {
	cfg = cfg.Copy()
	if cfg.TLSConfig == nil || len(cfg.Fallbacks) == 0 {
		return cfg
	}
	k := &refusedConns{by: make(map[string]net.Conn)}
	dial, connected := cfg.DialFunc, cfg.AfterNetConnect
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if c := k.take(address); c != nil {
			return c, nil
		}
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &asksTLS{Conn: c, k: k, address: address}, nil
	}
	cfg.AfterNetConnect = func(ctx context.Context, cfg *pgconn.Config, c net.Conn) (net.Conn, error) {
		k.end() // of a name with several addresses, the others
		if connected != nil {
			return connected(ctx, cfg, c)
		}
		return c, nil
	}
	return cfg
}

// refusedConns are connections whose server goes on without TLS, by address.
type refusedConns struct {
	mu sync.Mutex
	by map[string]net.Conn
}

func (k *refusedConns) put(address string, c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.by[address] = c
}

func (k *refusedConns) take(address string) net.Conn {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.by[address]
	delete(k.by, address)
	return c
}

func (k *refusedConns) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.by {
		_ = c.Close()
	}
	clear(k.by)
}

// sslRequest is all that is sent before the answer: a length and a number.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// asksTLS is a connection that is kept for another use when its server has answered the
// request for TLS with N, and nothing else was said.
type asksTLS struct {
	net.Conn
	k       *refusedConns
	address string
	sent    []byte
	got     []byte
}

func (c *asksTLS) Write(p []byte) (int, error) {
	if len(c.sent) <= len(sslRequest) {
		c.sent = append(c.sent, p...)
	}
	return c.Conn.Write(p)
}

func (c *asksTLS) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(c.got) <= 1 {
		c.got = append(c.got, p[:n]...)
	}
	return n, err
}

func (c *asksTLS) Close() error {
	if !bytes.Equal(c.sent, sslRequest) || string(c.got) != "N" {
		return c.Conn.Close()
	}
	c.sent = nil
	if err := c.SetDeadline(time.Time{}); err != nil {
		return c.Conn.Close()
	}
	c.k.put(c.address, c.Conn)
	return nil
}
