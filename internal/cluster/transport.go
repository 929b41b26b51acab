package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// protocol is what members talk, by ALPN.
const protocol = "pando-cluster/1"

// What is talked with a member's web server, all of it HTTP/1.1. What clients have
// asked a load balancer for comes over connections of its own: nothing of a client's
// gets to where the servers talk with each other.
const (
	protocolHTTP    = "http/1.1"        // load balancers, for clients
	protocolControl = "pando-control/1" // load balancers and members, for themselves
)

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
	door *Door
}

// NewTransport is that of the server behind the door, by which the others reach it.
// Closing it closes the door.
func NewTransport(d *Door) Transport { return &network{d} }

func (n *network) Dial(ctx context.Context, m Member) (net.Conn, error) {
	d := tls.Dialer{Config: n.door.client.Client(m.ID)}
	return d.DialContext(ctx, "tcp", m.Address)
}

func (n *network) Accept() (net.Conn, error) { return n.door.members.Accept() }

// Verify only says who it is: the door has let nobody else in.
func (n *network) Verify(_ context.Context, c net.Conn) (string, net.Conn, error) {
	t, ok := c.(*tls.Conn)
	if !ok {
		return "", nil, errors.New("cluster: a connection that did not come through the door")
	}
	who, err := Peer(t)
	return who.ID, t, err
}

func (n *network) Close() error { return n.door.Close() }
