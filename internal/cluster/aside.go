package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// protocolAside is HTTP between processes of a cluster about themselves. It is not
// that of requests of clients, so that no client can ask such things through a load
// balancer.
const protocolAside = "pando-aside/1"

// Bounds of one question.
const (
	asideTime  = 5 * time.Second
	asideBytes = 4 << 20
)

// Aside is a process's way to ask members such things.
type Aside struct{ tls *TLS }

// Aside is that of a process.
func (s *Secret) Aside(self Who) (*Aside, error) {
	t, err := s.TLS(self, protocolAside, RoleWeb)
	if err != nil {
		return nil, err
	}
	return &Aside{t}, nil
}

// Ask sends a question to the member of that id ("": whoever is at the address), and
// returns the answer's body. Any status but 200 is an error of [Refused].
func (a *Aside) Ask(ctx context.Context, address, id, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, asideTime)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true, // questions are few
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			d := tls.Dialer{Config: a.tls.Client(id)}
			return d.DialContext(ctx, network, addr)
		},
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, asideBytes))
	if err == nil && res.StatusCode != http.StatusOK {
		err = &Refused{res.StatusCode, string(answer)}
	}
	return answer, err
}

// Refused is a question that a member did not answer as it was asked.
type Refused struct {
	Status int
	Text   string
}

func (r *Refused) Error() string { return fmt.Sprintf("cluster: it says %d: %s", r.Status, r.Text) }
