package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
	"github.com/pandobase/pando/test/pebble"
)

// secure is a configuration with a domain, at ports that the authority asks.
func secure(t *testing.T, domain string) (server.Config, *pebble.Server) {
	t.Helper()
	ports := localclustertest.Ports(t, 2)
	authority := pebble.Start(t, ports[0].Number(), ports[1].Number())
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.HTTP = ports[0].Addr()
	cfg.TLS = server.TLS{
		Domains: []string{domain}, HTTPS: ports[1].Addr(),
		ACMEDirectory: authority.Directory, ACMERoot: authority.RootFile,
	}
	cfg.Log = slog.New(slog.NewTextHandler(pebble.Log(t), nil))
	return cfg, authority
}

// browser believes roots, asks 127.0.0.1 for whatever name, and follows nothing.
func browser(t *testing.T, roots *x509.CertPool) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// certificate is what a server has once it has one.
func certificate(t *testing.T, c *http.Client, url string) (cert *x509.Certificate) {
	t.Helper()
	soonTrue(t, "there is a certificate", func() bool {
		res, err := c.Get(url + "/api/health")
		if err != nil {
			return false
		}
		res.Body.Close()
		cert = res.TLS.PeerCertificates[0]
		return res.StatusCode == 200 && res.ProtoMajor == 2
	})
	return cert
}

// TestDomain: named, a domain is served by HTTPS: redirect, API and event streams
// over HTTP/2. A restart asks the authority for nothing.
func TestDomain(t *testing.T) {
	cfg, authority := secure(t, "app.example.com")
	r := start(t, cfg)
	if !strings.HasPrefix(r.info.URL, "https://app.example.com:") || !strings.HasPrefix(r.info.InstallURL, r.info.URL) {
		t.Errorf("it says it is at %s, %s", r.info.URL, r.info.InstallURL)
	}
	c := browser(t, authority.Roots(t))
	cert := certificate(t, c, r.info.URL)

	res, err := c.Post("http://app.example.com:"+portOf(cfg.HTTP)+"/api/x?y=1", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("Location"); res.StatusCode != 308 || got != r.info.URL+"/api/x?y=1" {
		t.Errorf("plain HTTP: %d %s", res.StatusCode, got)
	}
	res, err = c.Get(r.info.URL + "/api/realtime")
	if err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(res.Body).ReadString('\n')
	res.Body.Close()
	if err != nil || !strings.HasPrefix(first, "id:") || res.ProtoMajor != 2 {
		t.Errorf("an event stream over HTTP/%d begins with %q, %v", res.ProtoMajor, first, err)
	}
	res, err = http.Get(r.info.AdminURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	res.Body.Close()
	if want := fmt.Sprintf("pando_certificate_expires_seconds{domain=%q} %v", "app.example.com", float64(cert.NotAfter.Unix())); err != nil || !strings.Contains(string(text), want) {
		t.Errorf("the metrics do not say %s", want)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
	again := start(t, cfg)
	if other := certificate(t, c, again.info.URL); !other.Equal(cert) {
		t.Error("a restart asks for another certificate")
	}
}

// TestDomainShared: servers of a cluster have one certificate, which lies sealed in
// their database.
func TestDomainShared(t *testing.T) {
	_, url := localclustertest.Database(t)
	cfg, authority := secure(t, "shared.example.com")
	cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Direct = url, testSecret, "file://"+t.TempDir(), true
	cfg.ReadWait = 20 * time.Second
	one := start(t, cfg)
	c := browser(t, authority.Roots(t))
	cert := certificate(t, c, one.info.URL)
	other := cfg
	ports := localclustertest.Ports(t, 2)
	other.Dir, other.HTTP, other.TLS.HTTPS = filepath.Join(t.TempDir(), "data"), ports[0].Addr(), ports[1].Addr()
	two := start(t, other)
	if got := certificate(t, c, two.info.URL); !got.Equal(cert) {
		t.Error("the second server has another certificate")
	}
	for _, dir := range []string{cfg.Dir, other.Dir} {
		if _, err := os.Stat(filepath.Join(dir, "certificates")); !os.IsNotExist(err) {
			t.Errorf("certificates lie in %s: %v", dir, err)
		}
	}
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// TestDomainRefused: what cannot be right is said before anything starts.
func TestDomainRefused(t *testing.T) {
	for want, change := range map[string]func(*server.Config){
		"no domain name":   func(c *server.Config) { c.TLS.Domains = []string{"https://app.example.com"} },
		"has a wildcard":   func(c *server.Config) { c.TLS.Domains = []string{"*.example.com"} },
		"go together":      func(c *server.Config) { c.TLS.Cert = "cert.pem" },
		"--https: \"443\"": func(c *server.Config) { c.TLS.HTTPS = "443" },
		"are both :443":    func(c *server.Config) { c.HTTP = ":443"; c.TLS.Domains = []string{"app.example.com"} },
		"no directory":     func(c *server.Config) { c.TLS.Domains = []string{"app.example.com"}; c.TLS.ACMEDirectory = "pebble" },
		"pando lb a.example.com": func(c *server.Config) {
			c.TLS.Domains, c.Database, c.ClusterSecret = []string{"a.example.com"}, "postgres://db/app", testSecret
		},
		"where domains are": func(c *server.Config) { c.TLS.ACMEEmail = "me@example.com" },
	} {
		cfg := config(t.TempDir())
		change(&cfg)
		if err := cfg.Check(); pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.TLS = server.TLS{HTTPS: "127.0.0.1:0", Cert: "missing.pem", Key: "missing.key"}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); pando.KindOf(err) != pando.KindInvalid || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("a certificate that is not there: %v", err)
	}
}

// TestStatusOfCertificate: it is in words, as JSON.
func TestStatusOfCertificate(t *testing.T) {
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.TLS = server.TLS{
		Domains: []string{"app.example.com"}, HTTPS: "127.0.0.1:0", ACMEDirectory: "https://127.0.0.1:1/dir",
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	r := start(t, cfg)
	req, err := http.NewRequest("GET", r.info.AdminURL+"/readyz?verbose", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	var got struct {
		Ready        bool
		Certificates []map[string]string
	}
	soonTrue(t, "the refusal shows", func() bool {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil || len(got.Certificates) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		return strings.Contains(got.Certificates[0]["problem"], "connection refused")
	})
	if !got.Ready || got.Certificates[0]["domain"] != "app.example.com" {
		t.Errorf("%+v", got)
	}
}
