package server

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/cluster"
)

// Defaults of [TLS], where domains are named.
const (
	DefaultSecureHTTP  = ":80"
	DefaultHTTPS       = ":443"
	DefaultCertificate = certs.LetsEncrypt
)

// certificatesDir is where certificates lie that are not in the database, below the
// data directory.
const certificatesDir = "certificates"

// TLS says how a public address speaks HTTPS. The zero value does not.
type TLS struct {
	// Domains are the names that are served. With at least one, or with Cert, HTTP and
	// HTTPS are listened on: at HTTP everybody is sent to HTTPS.
	Domains []string
	HTTPS   string // address, host:port; "" means :443

	// Cert and Key are files of a certificate of one's own. Without, certificates come
	// from an ACME authority by themselves: naming domains is agreeing to its terms.
	Cert, Key string

	ACMEDirectory string // of the authority; "" means Let's Encrypt
	ACMEEmail     string // told to the authority; may be ""
	ACMERoot      string // PEM file of whom the directory is believed from; "" means the machine's
}

// on tells whether HTTPS is spoken.
func (t TLS) on() bool { return len(t.Domains) > 0 || t.Cert != "" || t.Key != "" }

// check finds what cannot be right; http is the address of plain HTTP.
func (t TLS) check(http string) error {
	if t.HTTPS != "" {
		if err := checkListen("https", t.HTTPS); err != nil {
			return err
		}
	}
	if !t.on() {
		for flag, value := range map[string]string{"acme-directory": t.ACMEDirectory, "acme-email": t.ACMEEmail, "acme-root": t.ACMERoot, "https": t.HTTPS} {
			if value != "" {
				return pando.Invalid("--%s is of use only where domains are named: pando serve app.example.com.", flag)
			}
		}
		return nil
	}
	if _, err := certs.Names(t.Domains); err != nil {
		return err
	}
	if (t.Cert == "") != (t.Key == "") {
		return pando.Invalid("--tls-cert and --tls-key go together: the certificate with its chain, and its private key, as PEM files.")
	}
	if d := t.ACMEDirectory; d != "" {
		if u, err := url.Parse(d); err != nil || u.Scheme != "https" || u.Host == "" {
			return pando.Invalid("--acme-directory: %q is no directory of an authority: write its address, https://….", d)
		}
	}
	if a, b := cmp.Or(http, DefaultSecureHTTP), cmp.Or(t.HTTPS, DefaultHTTPS); a == b && portOf(a) != "0" {
		return pando.Invalid("--http and --https are both %s: with domains there are two addresses, one for each.", a)
	}
	return nil
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// certificates makes those of an address that listens at two ports.
func (t TLS) certificates(plain, secure int, storage certs.Storage, log *slog.Logger) (*certs.Certificates, error) {
	names, err := certs.Names(t.Domains)
	if err != nil {
		return nil, err
	}
	cfg := certs.Config{
		Domains: names, Cert: t.Cert, Key: t.Key,
		Directory: cmp.Or(t.ACMEDirectory, DefaultCertificate), Email: t.ACMEEmail, Storage: storage,
		HTTPPort: plain, HTTPSPort: secure, Log: log,
	}
	if t.ACMERoot != "" {
		if cfg.Roots, err = certs.Roots(t.ACMERoot); err != nil {
			return nil, err
		}
	}
	return certs.New(cfg)
}

// secureURL is where people find a domain.
func secureURL(domain string, port int) string {
	if port != 443 {
		domain = net.JoinHostPort(domain, strconv.Itoa(port))
	}
	return "https://" + domain
}

// port is that of a TCP address.
func port(addr net.Addr) int {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return 0
	}
	return tcp.Port
}

// keepCertificates chooses where certificates lie: with a cluster's secret in its
// database, for all of its machines; else in the data directory.
func (p *parts) keepCertificates(dir string, secret *cluster.Secret) error {
	if secret == nil || p.store.certificates == nil {
		p.certificates = certs.Disk(filepath.Join(dir, certificatesDir))
		return nil
	}
	shared, err := certs.Shared(p.store.certificates(), secret.Keys("certificates", certs.KeySize))
	if err != nil {
		return err
	}
	p.certificates = shared
	p.closers = append(p.closers, func() error { shared.Close(); return nil })
	return nil
}

// certificateMetrics shows when certificates end.
type certificateMetrics struct{ status func() []certs.Status }

var certificateEnds = prometheus.NewDesc("pando_certificate_expires_seconds",
	"When the certificate of a domain ends, as a Unix time; 0 if there is none.", []string{"domain"}, nil)

// Describe implements prometheus.Collector.
func (m certificateMetrics) Describe(to chan<- *prometheus.Desc) { to <- certificateEnds }

// Collect implements prometheus.Collector.
func (m certificateMetrics) Collect(to chan<- prometheus.Metric) {
	for _, s := range m.status() {
		ends := 0.0
		if !s.Expires.IsZero() {
			ends = float64(s.Expires.Unix())
		}
		to <- prometheus.MustNewConstMetric(certificateEnds, prometheus.GaugeValue, ends, s.Domain)
	}
}

// secure puts TLS on the public listener, before anything is answered.
func (s *Server) secure(l *listeners) error {
	if l.plain == nil {
		return nil
	}
	c, err := s.cfg.TLS.certificates(port(l.plain.Addr()), port(l.public.Addr()), s.parts.certificates, s.log)
	if err != nil {
		return err
	}
	s.certs.Store(c)
	l.public = tls.NewListener(l.public, c.TLS())
	s.parts.registry.MustRegister(certificateMetrics{c.Status})
	return nil
}
