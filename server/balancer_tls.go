package server

import (
	"cmp"
	"net"
	"path/filepath"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/lb"
)

// secure has a balancer with domains listen for HTTPS, and for plain HTTP, which is
// sent there. Nothing is opened yet.
func (b *Balancer) secure(c *lb.Config) error {
	cfg := b.cfg
	if len(cfg.Listen) > 0 {
		return pando.Invalid("--listen is for a balancer without domains: with domains, --http and --https say where it listens.")
	}
	plain, secure := cmp.Or(cfg.HTTP, DefaultSecureHTTP), cmp.Or(cfg.TLS.HTTPS, DefaultHTTPS)
	if err := checkListen("http", plain); err != nil {
		return err
	}
	if err := cfg.TLS.check(plain); err != nil {
		return err
	}
	storage, err := b.keepCertificates()
	if err != nil {
		return err
	}
	if b.certs, err = cfg.TLS.certificates(portNumber(plain), portNumber(secure), storage, b.log); err != nil {
		return err
	}
	c.Listen = []lb.Listen{{Address: secure, TLS: b.certs.TLS()}, {Address: plain, Handler: b.certs.Plain()}}
	return nil
}

// keepCertificates chooses where certificates lie: before a cluster in its database,
// reached by way of its servers, so that all load balancers share them; else on disk.
func (b *Balancer) keepCertificates() (certs.Storage, error) {
	if b.cluster != nil {
		var err error
		b.shared, err = certs.Shared(remoteRows{b.cluster}, b.cluster.secret.Keys("certificates", certs.KeySize))
		return b.shared, err
	}
	dir, err := filepath.Abs(filepath.Join(cmp.Or(b.cfg.Dir, DefaultDir), certificatesDir))
	return certs.Disk(dir), err
}

// secureURLs is where clients find the balancer.
func (b *Balancer) secureURLs(addrs []net.Addr) (urls []string) {
	at := port(addrs[0])
	for _, d := range b.certs.Domains() {
		urls = append(urls, secureURL(d, at))
	}
	return urls
}

// portNumber is that of an address that was checked.
func portNumber(addr string) int {
	_, name, _ := net.SplitHostPort(addr)
	n, _ := net.LookupPort("tcp", name)
	return n
}
