package cluster

import (
	"context"
	"crypto/tls"
	"net"
)

// Front is a way to members' web servers: a load balancer's, whose word of its clients
// is believed since its connections prove that it has the cluster's secret, or a
// member's to the others.
type Front struct{ traffic, control *TLS }

// Front is that of the load balancer of that id.
func (s *Secret) Front(id string) (*Front, error) {
	traffic, err := s.TLS(Who{Role: RoleLB, ID: id}, protocolHTTP, RoleWeb)
	if err != nil {
		return nil, err
	}
	return &Front{traffic, traffic.instead(protocolControl, RoleWeb)}, nil
}

// Front is the way of the member behind the door to the others. It is for Control
// only: members bring no clients.
func (d *Door) Front() *Front { return &Front{control: d.client.instead(protocolControl, RoleWeb)} }

// Dial opens a connection to the member of that id ("": whoever it is), on which
// HTTP/1.1 is spoken with what clients ask for. Nothing of a request has been sent if it
// fails.
func (f *Front) Dial(ctx context.Context, address, id string) (net.Conn, error) {
	return dial(ctx, f.traffic, address, id)
}

// Control opens one for questions of our own.
func (f *Front) Control(ctx context.Context, address, id string) (net.Conn, error) {
	return dial(ctx, f.control, address, id)
}

func dial(ctx context.Context, t *TLS, address, id string) (net.Conn, error) {
	d := tls.Dialer{Config: t.Client(id)}
	return d.DialContext(ctx, "tcp", address)
}
