package cluster

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Role is what a process is to the others. It stands in its certificate.
type Role string

// The roles.
const (
	RoleWeb Role = "web" // a web server: a member
	RoleLB  Role = "lb"  // a load balancer before them
)

// Who is at the other end of a connection.
type Who struct {
	Role Role
	ID   string
}

// Every process makes a certificate for itself, signed by an authority that whoever
// has the secret can make too, always the same one. There is nothing to hand out, to
// store or to renew: the key is that of a process, and ends with it. Certificates
// are valid for ever, since no clock that can be set decides anything here.
var (
	certificateBegin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	certificateEnd   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	certificateNow   = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
)

// authority is the certificate authority of one of our secrets.
func authority(key []byte) (*x509.Certificate, ed25519.PrivateKey, error) {
	private := ed25519.NewKeyFromSeed(derive(key, "certificate authority", ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Pando cluster"},
		NotBefore:             certificateBegin,
		NotAfter:              certificateEnd,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		MaxPathLenZero:        true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(raw)
	return parsed, private, err
}

// leaf is this process's own certificate.
func leaf(who Who, ca *x509.Certificate, by ed25519.PrivateKey) (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    certificateBegin,
		NotAfter:     certificateEnd,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:         []*url.URL{who.uri()},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, ca, public, by)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: private}, nil
}

func (w Who) uri() *url.URL {
	return &url.URL{Scheme: "pando", Host: string(w.Role), Path: "/" + w.ID}
}

// whoIs reads what uri writes.
func whoIs(c *x509.Certificate) (Who, error) {
	if len(c.URIs) != 1 || c.URIs[0].Scheme != "pando" {
		return Who{}, errors.New("cluster: the other side's certificate does not say who it is")
	}
	u := c.URIs[0]
	return Who{Role: Role(u.Host), ID: strings.TrimPrefix(u.Path, "/")}, nil
}

// TLS is how this process talks to the others. alpn is what it talks, accept the
// roles that it talks to.
func (s *Secret) TLS(self Who, alpn string, accept ...Role) (*TLS, error) {
	t := &TLS{pool: x509.NewCertPool(), speaks: []speech{{alpn, accept}}}
	for i, key := range s.keys {
		ca, private, err := authority(key)
		if err != nil {
			return nil, fmt.Errorf("cluster: certificate: %w", err)
		}
		t.pool.AddCert(ca)
		if i > 0 {
			continue // this one is only believed
		}
		if t.own, err = leaf(self, ca, private); err != nil {
			return nil, fmt.Errorf("cluster: certificate: %w", err)
		}
	}
	return t, nil
}

// TLS makes configurations of one process.
type TLS struct {
	own    tls.Certificate
	pool   *x509.CertPool
	speaks []speech
}

// speech is a protocol, and who may talk it with us.
type speech struct {
	alpn   string
	accept []Role
}

// also is the same process where it talks one more protocol.
func (t *TLS) also(alpn string, accept ...Role) *TLS {
	other := *t
	other.speaks = append(slices.Clone(t.speaks), speech{alpn, accept})
	return &other
}

// instead is the same process where it talks that protocol alone.
func (t *TLS) instead(alpn string, accept ...Role) *TLS {
	other := *t
	other.speaks = []speech{{alpn, accept}}
	return &other
}

// Server is for whoever connects.
func (t *TLS) Server() *tls.Config { return t.config("") }

// Client is for a connection to the server of that id ("": whoever it is).
func (t *TLS) Client(id string) *tls.Config { return t.config(id) }

func (t *TLS) config(id string) *tls.Config {
	c := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{t.own},
		ClientAuth:             tls.RequireAnyClientCert,
		SessionTicketsDisabled: true,
		// What is verified is who signed and who it is, below, for both sides. A name
		// of a host says nothing: the address comes from a row that anybody may have
		// written.
		InsecureSkipVerify: true,
		VerifyConnection:   func(c tls.ConnectionState) error { return t.verify(c, id) },
	}
	for _, s := range t.speaks {
		c.NextProtos = append(c.NextProtos, s.alpn)
	}
	return c
}

func (t *TLS) verify(c tls.ConnectionState, id string) error {
	at := slices.IndexFunc(t.speaks, func(s speech) bool { return s.alpn == c.NegotiatedProtocol })
	if at < 0 {
		return fmt.Errorf("cluster: the other side does not speak %s", t.speaks[0].alpn)
	}
	if len(c.PeerCertificates) == 0 {
		return errors.New("cluster: the other side has shown no certificate")
	}
	cert := c.PeerCertificates[0]
	_, err := cert.Verify(x509.VerifyOptions{
		Roots:       t.pool,
		CurrentTime: certificateNow,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("cluster: the other side does not have our secret (PANDO_CLUSTER_SECRET must be the same on every server): %w", err)
	}
	who, err := whoIs(cert)
	switch {
	case err != nil:
		return err
	case !slices.Contains(t.speaks[at].accept, who.Role):
		return fmt.Errorf("cluster: the other side is of role %q, which has no business here", who.Role)
	case id != "" && who.ID != id:
		return fmt.Errorf("cluster: the other side is server %s, not %s", who.ID, id)
	}
	return nil
}

// Peer is who is at the other end of a connection that was verified.
func Peer(c *tls.Conn) (Who, error) {
	certs := c.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return Who{}, errors.New("cluster: the other side has shown no certificate")
	}
	return whoIs(certs[0])
}
