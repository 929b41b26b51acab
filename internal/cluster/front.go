package cluster

import (
	"context"
	"crypto/tls"
	"net"
)

// Front is a load balancer's way to members: what it brings is believed, since its
// connections prove that it has the cluster's secret.
type Front struct{ tls *TLS }

// Front is that of the load balancer of that id.
func (s *Secret) Front(id string) (*Front, error) {
	t, err := s.TLS(Who{Role: RoleLB, ID: id}, protocolHTTP, RoleWeb)
	if err != nil {
		return nil, err
	}
	return &Front{t}, nil
}

// Dial opens a connection to the member of that id ("": whoever it is), on which
// HTTP/1.1 is spoken. Nothing of a request has been sent if it fails.
func (f *Front) Dial(ctx context.Context, address, id string) (net.Conn, error) {
	d := tls.Dialer{Config: f.tls.Client(id)}
	return d.DialContext(ctx, "tcp", address)
}
