package cluster

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// protocol is what members talk, by ALPN.
const protocol = "pando-cluster/1"

// handshakeTime bounds how long a connection may take to be made and verified.
const handshakeTime = time.Second

// Transport brings members together. A connection is proven to be from or to the
// member of that id.
type Transport interface {
	// Dial connects to a member. If its machine says that nobody listens there, the
	// error is syscall.ECONNREFUSED.
	Dial(ctx context.Context, m Member) (net.Conn, error)
	// Accept waits for a connection; Verify then finds out whose it is. Accept fails
	// once the transport is closed.
	Accept() (net.Conn, error)
	Verify(ctx context.Context, c net.Conn) (id string, verified net.Conn, err error)
	Close() error
}

// network is members over TLS.
type network struct {
	listener net.Listener
	tls      *TLS
}

// NewTransport is that of the server self, which the others reach by l.
func NewTransport(l net.Listener, s *Secret, self string) (Transport, error) {
	t, err := s.TLS(Who{Role: RoleWeb, ID: self}, protocol, RoleWeb)
	if err != nil {
		return nil, err
	}
	return &network{listener: l, tls: t}, nil
}

func (n *network) Dial(ctx context.Context, m Member) (net.Conn, error) {
	d := tls.Dialer{Config: n.tls.Client(m.ID)}
	return d.DialContext(ctx, "tcp", m.Address)
}

func (n *network) Accept() (net.Conn, error) { return n.listener.Accept() }

func (n *network) Verify(ctx context.Context, c net.Conn) (string, net.Conn, error) {
	t := tls.Server(c, n.tls.Server())
	if err := t.HandshakeContext(ctx); err != nil {
		return "", nil, err
	}
	who, err := Peer(t)
	return who.ID, t, err
}

func (n *network) Close() error { return n.listener.Close() }
