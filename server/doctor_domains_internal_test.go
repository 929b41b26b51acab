package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestDoctorDomains: what DNS says of each name, and whether the ports can be had.
func TestDoctorDomains(t *testing.T) {
	defer func(before func(context.Context, string, string) ([]netip.Addr, error)) { resolve = before }(resolve)
	resolve = func(_ context.Context, _, name string) ([]netip.Addr, error) {
		switch name {
		case "there.example.com":
			return []netip.Addr{netip.MustParseAddr("::ffff:198.51.100.1")}, nil
		case "gone.example.com":
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		return nil, errors.New("the resolver is away")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	checks, err := Doctor(t.Context(), Config{
		Dir: t.TempDir(), HTTP: taken.Addr().String(),
		TLS: TLS{Domains: []string{"There.example.com", "gone.example.com", "unknown.example.com"}, HTTPS: "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for about, want := range map[string]string{
		"domain there.example.com":   "It leads to 198.51.100.1",
		"domain gone.example.com":    "DNS has no address",
		"domain unknown.example.com": "the resolver is away",
		"public address":             taken.Addr().String() + " is in use. 127.0.0.1:0 can be listened on.",
	} {
		said := ""
		for _, c := range checks {
			if c.About == about {
				said += c.Found + " "
			}
		}
		if !strings.Contains(said, want) {
			t.Errorf("of %s it says %q, want %q", about, said, want)
		}
	}
	checks, err = Doctor(t.Context(), Config{Dir: t.TempDir(), TLS: TLS{Cert: "missing.pem", Key: "missing.key", HTTPS: "127.0.0.1:0"}, HTTP: "127.0.0.1:0"})
	if err != nil || Worst(checks) != "bad" {
		t.Errorf("a certificate that is not there: %+v, %v", checks, err)
	}
}
