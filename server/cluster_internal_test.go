package server

import (
	"net"
	"strings"
	"testing"
)

// TestAdvertiseByDefault: without --advertise the others find a server at the host of
// --http, or where that is every address, at one of the machine's in a private network;
// it listens there and nowhere else, on a port that was free.
func TestAdvertiseByDefault(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	private := firstPrivate(own) // this machine may have none
	for _, c := range []struct{ advertise, http, host string }{
		{"", "127.0.0.1:8090", "127.0.0.1"},
		{"", "localhost:8090", "localhost"},
		{"", ":80", private},
		{"", "0.0.0.0:80", private},
		{"", "[::]:80", private},
		{"127.0.0.1:0", ":80", "127.0.0.1"},
	} {
		l, address, err := listenPrivately(Config{Advertise: c.advertise, HTTP: c.http})
		if c.host == "" {
			if err == nil || !strings.Contains(err.Error(), "--advertise") {
				t.Errorf("--http %s on a machine without a private address: %v", c.http, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("--advertise %q --http %s: %v", c.advertise, c.http, err)
			continue
		}
		bound := l.Addr().(*net.TCPAddr)
		host, port, _ := net.SplitHostPort(address)
		_, at, _ := net.SplitHostPort(bound.String())
		_, public, _ := net.SplitHostPort(c.http)
		if host != c.host || port != at || port == "0" || port == public || bound.IP.IsUnspecified() {
			t.Errorf("--advertise %q --http %s: told as %s, listens on %s", c.advertise, c.http, address, bound)
		}
		if conn, err := net.Dial("tcp", address); err != nil {
			t.Errorf("--advertise %q --http %s: %v", c.advertise, c.http, err)
		} else {
			conn.Close()
		}
		l.Close()
	}
	networks := func(list ...string) (all []net.Addr) {
		for _, text := range list {
			ip, n, err := net.ParseCIDR(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		return all
	}
	for want, all := range map[string][]net.Addr{
		"10.1.2.3":  networks("127.0.0.1/8", "203.0.113.7/24", "fe80::1/64", "10.1.2.3/16", "192.168.0.9/24"),
		"fd12::abc": networks("::1/128", "2001:db8::1/64", "fd12::abc/64"),
		"":          networks("127.0.0.1/8", "203.0.113.7/24", "169.254.0.1/16"),
	} {
		if got := firstPrivate(all); got != want {
			t.Errorf("of %v the private one is %q, want %q", all, got, want)
		}
	}
	if _, _, err := listenPrivately(Config{HTTP: "localhost"}); err == nil || !strings.HasPrefix(err.Error(), "http: ") {
		t.Errorf("--http without a port: %v", err)
	}
}
