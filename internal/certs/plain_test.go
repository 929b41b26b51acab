package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando"
	"github.com/pandobase/pando/internal/certs"
)

// pair writes a certificate for names, which is its own root.
func pair(t *testing.T, dir string, serial int64, ends time.Time, names ...string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "own"}, DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

func own(dir string, domains ...string) certs.Config {
	return certs.Config{Domains: domains, Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), Log: slog.New(slog.DiscardHandler)}
}

var later = time.Now().Add(24 * time.Hour)

func TestRedirect(t *testing.T) {
	dir := t.TempDir()
	pair(t, dir, 1, later, "app.example.com", "*.wild.example.com")
	for _, test := range []struct {
		port               int
		method, host, path string
		status             int
		location           string
	}{
		{443, "GET", "app.example.com", "/", 308, "https://app.example.com/"},
		{443, "GET", "APP.Example.com.:80", "/a%2Fb?c=d&e", 308, "https://app.example.com/a%2Fb?c=d&e"},
		{443, "POST", "app.example.com", "/api/x", 308, "https://app.example.com/api/x"},
		{8443, "GET", "app.example.com:8080", "/x?", 308, "https://app.example.com:8443/x?"},
		{443, "GET", "a.wild.example.com", "//evil.example.org/x", 308, "https://a.wild.example.com//evil.example.org/x"},
		{443, "GET", "a.b.wild.example.com", "/", 421, ""},
		{443, "GET", "evil.example.org", "/", 421, ""},
		{443, "GET", "127.0.0.1", "/", 421, ""},
		{443, "GET", "", "/", 421, ""},
		{443, "OPTIONS", "app.example.com", "*", 308, "https://app.example.com/"},
		{443, "GET", "app.example.com", "/.well-known/acme-challenge/x", 308, "https://app.example.com/.well-known/acme-challenge/x"},
	} {
		cfg := own(dir)
		cfg.HTTPSPort = test.port
		c, err := certs.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(test.method, "http://x/", nil)
		r.Host = test.host
		if r.URL, err = url.ParseRequestURI(test.path); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		c.Plain().ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != test.status || got != test.location {
			t.Errorf("%s http://%s%s: %d %q, want %d %q", test.method, test.host, test.path, w.Code, got, test.status, test.location)
		}
		c.Close()
	}
}

// A new certificate is taken when the files change, or on demand; a pair that does
// not fit together is not.
func TestOwn(t *testing.T) {
	dir := t.TempDir()
	roots := pair(t, dir, 1, later, "app.example.com")
	defer certs.Every(5 * time.Millisecond)()
	s := serve(t, ports(t), own(dir, "app.example.com"))
	s.certs.Start()
	if body, cert := answer(t, client(t, roots, true), address("app.example.com", s.https)); body != "HTTP/2.0" || cert.SerialNumber.Int64() != 1 {
		t.Errorf("%q, %v", body, cert.SerialNumber)
	}
	keep, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	second := pair(t, dir, 2, later, "app.example.com")
	if _, cert := answer(t, client(t, second, true), address("app.example.com", s.https)); cert.SerialNumber.Int64() != 2 {
		t.Errorf("after the files have changed: %v", cert.SerialNumber)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), keep, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.certs.Reload(); pando.KindOf(err) != pando.KindInvalid {
		t.Errorf("a key of another certificate: %v", err)
	}
	if got := s.certs.Status()[0]; !strings.Contains(got.Problem, "private key") || got.Expires.IsZero() {
		t.Errorf("status: %+v", got)
	}
	pair(t, dir, 3, time.Now().Add(-time.Hour), "app.example.com")
	if err := s.certs.Reload(); err == nil {
		t.Error("one that has ended takes the place of one that holds")
	}
	if _, cert := answer(t, client(t, second, false), address("app.example.com", s.https)); cert.SerialNumber.Int64() != 2 {
		t.Errorf("what is not usable is used: %v", cert.SerialNumber)
	}
	fourth := pair(t, dir, 4, later, "app.example.com")
	if err := s.certs.Reload(); err != nil || s.certs.Status()[0].Problem != "" {
		t.Errorf("%v, %+v", err, s.certs.Status())
	}
	answer(t, client(t, fourth, true), address("app.example.com", s.https))
}

func TestNew(t *testing.T) {
	dir := t.TempDir()
	pair(t, dir, 1, later, "a.example.com", "b.example.com")
	c, err := certs.New(own(dir))
	if err != nil || !slices.Equal(c.Domains(), []string{"a.example.com", "b.example.com"}) {
		t.Fatalf("the names are those of the certificate: %v, %v", c, err)
	}
	c.Close()
	half := own(dir)
	half.Key = ""
	missing := own(t.TempDir())
	for name, cfg := range map[string]certs.Config{
		"not of that name": own(dir, "c.example.com"), "half": half, "missing": missing, "nothing": {},
	} {
		if _, err := certs.New(cfg); pando.KindOf(err) != pando.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNames(t *testing.T) {
	got, err := certs.Names([]string{"App.Example.com", " app.example.com. ", "bücher.example"})
	if err != nil || !slices.Equal(got, []string{"app.example.com", "xn--bcher-kva.example"}) {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "*.example.com", "https://example.com", "example.com:443", "10.0.0.1", "::1", "a b.example", "example.com/x", "a..b", "-a.example", "a_b.example.com"} {
		if names, err := certs.Names([]string{bad}); pando.KindOf(err) != pando.KindInvalid {
			t.Errorf("%q is taken: %q, %v", bad, names, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"app.example.com", "bücher.example", "*.x", "a:1", "[::1]", "xn--a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		names, err := certs.Names([]string{s})
		if err != nil {
			return
		}
		again, err := certs.Names(names)
		if err != nil || !slices.Equal(names, again) {
			t.Errorf("%q makes %q, which makes %q, %v", s, names, again, err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = names[0]
		if strings.ContainsAny(names[0], "/:@?# \r\n") {
			t.Errorf("%q is a name", names[0])
		}
	})
}
