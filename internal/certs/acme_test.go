package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pandobase/pando/internal/certs"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/pebble"
)

// certmagic has a limiter for each account, for as long as the process lives.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.(*RingBufferRateLimiter).loop"))
}

// site is a public address: two listeners and what they serve.
type site struct {
	certs       *certs.Certificates
	http, https int // ports
}

// ports are free ones for a site, which the authority must know before.
func ports(t *testing.T) site {
	p := localclustertest.Ports(t, 2)
	return site{http: p[0].Number(), https: p[1].Number()}
}

// serve serves a domain at the ports, until the test ends. Each answer is the
// version of HTTP.
func serve(t *testing.T, s site, cfg certs.Config) *site {
	t.Helper()
	cfg.HTTPPort, cfg.HTTPSPort = s.http, s.https
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(pebble.Log(t), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c, err := certs.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.certs = c
	listen := func(port int) net.Listener {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	proto := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	silent := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	plain := &http.Server{Handler: c.Plain(), ErrorLog: silent}
	secure := &http.Server{Handler: proto, ErrorLog: silent}
	a, b := listen(s.http), tls.NewListener(listen(s.https), c.TLS())
	done := make(chan error, 2)
	go func() { done <- plain.Serve(a) }()
	go func() { done <- secure.Serve(b) }()
	t.Cleanup(func() {
		c.Close()
		plain.Close()
		secure.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		}
	})
	return &s
}

// client asks 127.0.0.1, whatever the name, and believes only roots.
func client(t *testing.T, roots *x509.CertPool, http2 bool) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: http2,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is what a URL answers once it does.
func answer(t *testing.T, c *http.Client, url string) (body string, cert *x509.Certificate) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := c.Get(url)
		if err == nil {
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(text), res.TLS.PeerCertificates[0]
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", url, err)
		case <-tick.C:
		}
	}
}

func address(domain string, port int) string {
	return "https://" + domain + ":" + strconv.Itoa(port) + "/"
}

// Each way in which the authority may ask; HTTP/2 and HTTP/1.1 afterwards.
func TestACME(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			at := ports(t)
			authority := pebble.Start(t, at.http, at.https)
			domain := challenge + ".example.com"
			dir := t.TempDir()
			cfg := certs.Config{
				Domains: []string{domain}, Directory: authority.Directory, Roots: authority.Believed(), Email: "me@example.org",
				Storage: certs.Disk(dir),
			}
			s := serve(t, at, cfg)
			if got := s.certs.Status()[0]; got.Domain != domain || got.Problem == "" || !got.Expires.IsZero() {
				t.Errorf("before there is a certificate: %+v", got)
			}
			s.certs.Only(challenge)
			s.certs.Start()
			roots := authority.Roots(t)
			body, cert := answer(t, client(t, roots, true), address(domain, s.https))
			if body != "HTTP/2.0" || cert.DNSNames[0] != domain {
				t.Errorf("%q, certificate of %v", body, cert.DNSNames)
			}
			if body, _ := answer(t, client(t, roots, false), address(domain, s.https)); body != "HTTP/1.1" {
				t.Errorf("without HTTP/2: %q", body)
			}
			got := s.certs.Status()[0]
			if left := time.Until(got.Expires); got.Problem != "" || left < 80*24*time.Hour || !strings.Contains(got.Issuer, "Pebble") {
				t.Errorf("with a certificate: %+v", got)
			}
			if _, err := client(t, roots, false).Get(address("other.example.com", s.https)); err == nil {
				t.Error("another name is answered")
			}
			if _, err := os.Stat(filepath.Join(dir, "certificates")); err != nil {
				t.Error(err)
			}
			old := &tls.Config{RootCAs: roots, ServerName: domain, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
			if c, err := tls.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.https), old); err == nil {
				c.Close()
				t.Error("TLS 1.1 is spoken")
			}
		})
	}
}

// A restart, and a second machine with the same storage, ask for nothing; the
// authority's question is answered by whichever machine it reaches.
func TestACMEShared(t *testing.T) {
	t.Parallel()
	at, elsewhere := ports(t), ports(t)
	authority := pebble.Start(t, at.http, at.https) // it reaches the first machine only
	const domain = "shared.example.com"
	dir := t.TempDir()
	config := func() certs.Config {
		return certs.Config{
			Domains: []string{domain}, Directory: authority.Directory, Roots: authority.Believed(), Storage: certs.Disk(dir),
		}
	}
	first := serve(t, at, config())
	second := serve(t, elsewhere, config())
	second.certs.Start() // it asks, and the first is asked
	roots := authority.Roots(t)
	_, cert := answer(t, client(t, roots, true), address(domain, second.https))
	first.certs.Start()
	if _, other := answer(t, client(t, roots, true), address(domain, first.https)); !other.Equal(cert) {
		t.Error("the second machine has a certificate of its own")
	}
}

// An authority that refuses leaves a reason behind, and the name stays without a
// certificate.
func TestACMERefused(t *testing.T) {
	t.Parallel()
	at := ports(t)
	wrong := localclustertest.Ports(t, 2)
	authority := pebble.Start(t, wrong[0].Number(), wrong[1].Number()) // nobody answers there
	s := serve(t, at, certs.Config{
		Domains: []string{"refused.example.com"}, Directory: authority.Directory, Roots: authority.Believed(), Storage: certs.Disk(t.TempDir()),
	})
	s.certs.Start()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(s.certs.Status()[0].Problem, "the authority says: ") {
		select {
		case <-ctx.Done():
			t.Fatalf("no reason is given: %+v", s.certs.Status())
		case <-tick.C:
		}
	}
}
