package server

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/doctor"
)

// lookupBound is how long DNS may take for one name.
const lookupBound = 5 * time.Second

// resolve asks DNS; tests have one of their own.
var resolve = net.DefaultResolver.LookupNetIP

// examineDomains looks at what HTTPS needs: names, ports, the certificate.
func examineDomains(ctx context.Context, cfg Config) (doctor.Domains, error) {
	t := cfg.TLS
	d := doctor.Domains{
		Own: ownAddresses(), Private: t.Cert != "" || t.ACMEDirectory != "" && t.ACMEDirectory != DefaultCertificate,
		Cert: t.Cert, Now: time.Now(),
	}
	if !t.on() {
		return d, nil
	}
	names, err := certs.Names(t.Domains)
	if err != nil {
		return d, err
	}
	if t.Cert != "" {
		c, err := certs.New(certs.Config{Domains: names, Cert: t.Cert, Key: t.Key})
		if d.CertErr = errors.Unwrap(err); err == nil {
			names = c.Domains()
			if len(names) > 0 {
				d.CertEnds = c.Status()[0].Expires
			}
			c.Close()
		}
	}
	for _, name := range names {
		d.Names = append(d.Names, lookUp(ctx, name))
	}
	d.Ports = []doctor.Port{tryPort(ctx, "http", cmp.Or(cfg.HTTP, DefaultSecureHTTP)), tryPort(ctx, "https", cmp.Or(t.HTTPS, DefaultHTTPS))}
	return d, nil
}

func lookUp(ctx context.Context, name string) doctor.Domain {
	ctx, cancel := context.WithTimeout(ctx, lookupBound)
	defer cancel()
	list, err := resolve(ctx, "ip", name)
	d := doctor.Domain{Name: name, Err: err}
	if failed, ok := errors.AsType[*net.DNSError](err); ok && failed.IsNotFound {
		d.Missing, d.Err = true, nil
	}
	for _, a := range list {
		d.Addresses = append(d.Addresses, a.Unmap())
	}
	return d
}

// ownAddresses are those of this machine that others may use.
func ownAddresses() (list []netip.Addr) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then none is known
	}
	for _, a := range all {
		network, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if addr, ok := netip.AddrFromSlice(network.IP); ok && addr.Unmap().IsGlobalUnicast() {
			list = append(list, addr.Unmap())
		}
	}
	return list
}

// tryPort listens for a moment.
func tryPort(ctx context.Context, flag, address string) doctor.Port {
	p := doctor.Port{Flag: flag, Address: address}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		l.Close()
		return p
	}
	p.Taken, p.Denied = errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES)
	if !p.Taken && !p.Denied {
		p.Err = err
	}
	return p
}
