package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/pandobase/pando"
)

// watchEvery is how often the files are looked at; tests are impatient.
var watchEvery = 5 * time.Second

// own is a certificate that the user gives, in files that he replaces when it is
// renewed.
type own struct {
	cfg  Config
	used atomic.Pointer[loaded]
	last atomic.Pointer[string] // the problem of the last reading, nil if it went well
}

// loaded is what was read from the files, and what they were like.
type loaded struct {
	cert  *tls.Certificate
	files files
}

// files is by what a change of them is noticed. Both are compared: what puts a new
// certificate there may keep the old one's time.
type files [2]struct {
	changed time.Time
	size    int64
}

func newOwn(cfg Config) (*own, error) {
	o := &own{cfg: cfg}
	return o, o.reload()
}

// reload reads the files. A pair that does not fit together, as there is between the
// replacing of one and of the other, is refused, and the one in use is kept.
func (o *own) reload() error {
	seen := o.stat()
	cert, err := tls.LoadX509KeyPair(o.cfg.Cert, o.cfg.Key)
	// At the start a certificate that has ended is better than no server.
	if err == nil && o.used.Load() != nil && time.Now().After(cert.Leaf.NotAfter) {
		err = fmt.Errorf("it has ended on %s", cert.Leaf.NotAfter.Format(time.DateOnly))
	}
	for _, d := range o.cfg.Domains {
		if err == nil {
			err = cert.Leaf.VerifyHostname(d)
		}
	}
	if err != nil {
		problem := err.Error()
		o.last.Store(&problem)
		return &pando.Error{
			Kind: pando.KindInvalid, Err: err,
			Message: fmt.Sprintf("The certificate %s with the key %s cannot be used: give a PEM file with the certificate and its chain, and one with its key, for all domains that are named.", o.cfg.Cert, o.cfg.Key),
		}
	}
	o.last.Store(nil)
	o.used.Store(&loaded{cert: &cert, files: seen})
	return nil
}

func (o *own) stat() (f files) {
	for i, name := range []string{o.cfg.Cert, o.cfg.Key} {
		if info, err := os.Stat(name); err == nil {
			f[i].changed, f[i].size = info.ModTime(), info.Size()
		}
	}
	return f
}

// run takes a new certificate when the files have changed.
func (o *own) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	tried := o.used.Load().files
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := o.stat()
		if now == tried || now == o.used.Load().files {
			continue
		}
		tried = now
		if err := o.reload(); err != nil {
			o.cfg.Log.Error("a new certificate is not used, the old one is", "file", o.cfg.Cert, "err", errors.Unwrap(err))
			continue
		}
		o.cfg.Log.Info("a new certificate is used", "file", o.cfg.Cert, "expires", o.used.Load().cert.Leaf.NotAfter)
	}
}

func (o *own) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return o.used.Load().cert, nil }

// names are those of the certificate.
func (o *own) names() []string { return o.leaf().DNSNames }

func (o *own) leaf() *x509.Certificate { return o.used.Load().cert.Leaf }

func (o *own) status(domain string) Status {
	leaf := o.leaf()
	s := Status{Domain: domain, Issuer: leaf.Issuer.CommonName, Expires: leaf.NotAfter}
	if p := o.last.Load(); p != nil {
		s.Problem = "the files cannot be used: " + *p
	} else if time.Now().After(leaf.NotAfter) {
		s.Problem = "the certificate has ended: replace " + o.cfg.Cert
	}
	return s
}

func (o *own) protocols() []string { return nil }

func (o *own) challenge(http.ResponseWriter, *http.Request) bool { return false }

func (o *own) close() {}
