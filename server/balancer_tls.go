package server

import (
	"cmp"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/lb"
)

// secure is where a balancer with domains listens: HTTPS, and plain HTTP, which is
// sent there. Nothing is opened yet.
func (cfg BalancerConfig) secure(log *slog.Logger) ([]lb.Listen, *certs.Certificates, error) {
	if len(cfg.Listen) > 0 {
		return nil, nil, pando.Invalid("--listen is for a balancer without domains: with domains, --http and --https say where it listens.")
	}
	plain, secure := cmp.Or(cfg.HTTP, DefaultSecureHTTP), cmp.Or(cfg.TLS.HTTPS, DefaultHTTPS)
	if err := checkListen("http", plain); err != nil {
		return nil, nil, err
	}
	if err := cfg.TLS.check(plain); err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(filepath.Join(cmp.Or(cfg.Dir, DefaultDir), certificatesDir))
	if err != nil {
		return nil, nil, err
	}
	c, err := cfg.TLS.certificates(portNumber(plain), portNumber(secure), certs.Disk(dir), log)
	if err != nil {
		return nil, nil, err
	}
	return []lb.Listen{{Address: secure, TLS: c.TLS()}, {Address: plain, Handler: c.Plain()}}, c, nil
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
