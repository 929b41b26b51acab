// Package certs is how a public address speaks TLS: with certificates that it gets
// by itself from an ACME authority, or with one that the user gives.
//
//	c, err := certs.New(certs.Config{Domains: []string{"app.example.com"}, Storage: certs.Disk(dir), …})
//	secure := tls.NewListener(listener443, c.TLS())   // HTTP/1.1 and HTTP/2
//	plain := c.Plain()                                // the handler of port 80
//	c.Start()                                         // after both listen: the authority asks them
//	defer c.Close()
//
// It knows nothing of what is served: `pando serve` and `pando lb` use it alike.
//
// # How a certificate comes about
//
// certmagic does the work. For each name: what lies in the storage is used; if there
// is nothing, or it ends soon, the name's lock is taken, the authority asks this
// machine for a proof (http-01 on port 80 or tls-alpn-01 on port 443), and the
// certificate is stored. With a storage that several machines share, any of them
// answers the authority's question, whoever asked for the certificate, and one asks
// for all. Nothing waits for it: until there is a certificate, handshakes fail,
// and the log and [Certificates.Status] say why.
package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/net/idna"

	"github.com/pandobase/pando"
)

// LetsEncrypt is the ACME directory that certificates are from by default.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// Storage keeps certificates, their keys and the account at the authority.
type Storage = certmagic.Storage

// Config is what certificates are wanted for.
type Config struct {
	Domains []string // names, as [Names] returns them

	// Cert and Key are files of the user's own certificate; "" for both means ACME.
	Cert, Key string

	Directory string         // of the ACME authority; "" means LetsEncrypt
	Email     string         // told to the authority; may be ""
	Roots     *x509.CertPool // whom the directory is believed from; nil: the machine's
	Storage   Storage        // not needed with Cert

	// HTTPPort and HTTPSPort are where this machine listens. The authority asks ports
	// 80 and 443, which must lead there.
	HTTPPort, HTTPSPort int

	Log *slog.Logger
}

// Certificates are those of a public address.
type Certificates struct {
	cfg    Config
	source source

	stop    context.CancelFunc // nil until Start
	done    sync.WaitGroup
	closing sync.Once
}

// source is where certificates come from.
type source interface {
	get(*tls.ClientHelloInfo) (*tls.Certificate, error)
	protocols() []string                                   // by ALPN, beside HTTP
	challenge(w http.ResponseWriter, r *http.Request) bool // whether it was one, and is answered
	run(context.Context)                                   // until the context ends
	status(domain string) Status                           // of one name
	reload() error
	close()
}

// Status is how it stands with one name's certificate.
type Status struct {
	Domain  string    `json:"domain"`
	Issuer  string    `json:"issuer,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // zero: there is none
	Problem string    `json:"problem,omitempty"`
}

// New checks what it is given. Nothing is asked for before Start.
func New(cfg Config) (*Certificates, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	c := &Certificates{cfg: cfg}
	if (cfg.Cert == "") != (cfg.Key == "") {
		return nil, pando.Invalid("--tls-cert and --tls-key go together: the certificate with its chain, and its private key, as PEM files.")
	}
	if cfg.Cert != "" {
		own, err := newOwn(cfg)
		if err != nil {
			return nil, err
		}
		c.source = own
		if len(cfg.Domains) == 0 {
			c.cfg.Domains = own.names()
		}
		return c, nil
	}
	if len(cfg.Domains) == 0 {
		return nil, pando.Invalid("No domain is named, and no certificate is given.")
	}
	c.source = newManaged(cfg)
	return c, nil
}

// Start asks for what is missing, and looks after what is there. The listeners must
// be open: the authority will ask them.
func (c *Certificates) Start() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.done.Go(func() { c.source.run(ctx) })
}

// Close ends what Start began. It may be called twice.
func (c *Certificates) Close() {
	c.closing.Do(func() {
		if c.stop != nil {
			c.stop()
			c.done.Wait()
		}
		c.source.close()
	})
}

// TLS is the configuration of listeners: HTTP/2 and HTTP/1.1, and otherwise what Go
// thinks good of TLS 1.2 and later.
func (c *Certificates) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.source.get,
		NextProtos:     append([]string{"h2", "http/1.1"}, c.source.protocols()...),
	}
}

// Domains are the names that are served.
func (c *Certificates) Domains() []string { return slices.Clone(c.cfg.Domains) }

// Reload reads the user's own certificate again; with ACME it does nothing. An error
// leaves the old one in use.
func (c *Certificates) Reload() error { return c.source.reload() }

// Status is how it stands with each name.
func (c *Certificates) Status() []Status {
	list := make([]Status, len(c.cfg.Domains))
	for i, d := range c.cfg.Domains {
		list[i] = c.source.status(d)
	}
	return list
}

// lookup is how names are looked up, and DNS takes no others.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// Names makes names of what a user has written: lower case, punycode, each once.
func Names(domains []string) ([]string, error) {
	var names []string
	for _, d := range domains {
		name := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(d)), ".")
		ascii, err := lookup.ToASCII(name)
		switch {
		case strings.HasPrefix(name, "*."):
			return nil, pando.Invalid("The domain %q has a wildcard, which an authority gives only to who can change DNS records: name each domain, or give a certificate of your own with --tls-cert and --tls-key.", d)
		case err != nil || !certmagic.SubjectQualifiesForCert(ascii) || certmagic.SubjectIsIP(ascii) || strings.ContainsAny(ascii, ":/"):
			return nil, pando.Invalid("%q is no domain name: write it like app.example.com, without https:// and without a port.", d)
		}
		if !slices.Contains(names, ascii) {
			names = append(names, ascii)
		}
	}
	return names, nil
}

// Roots are the certificates in a PEM file.
func Roots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &pando.Error{Kind: pando.KindInvalid, Message: fmt.Sprintf("--acme-root: %s cannot be read.", file), Err: err}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, pando.Invalid("--acme-root: %s has no certificate in PEM form.", file)
	}
	return pool, nil
}
