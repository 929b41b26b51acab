package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// pair writes a certificate of one's own.
func pair(t *testing.T, dir string, serial int64, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDomainWithOwnCertificate: the argument names it, and a SIGHUP takes a new
// certificate.
func TestDomainWithOwnCertificate(t *testing.T) {
	for _, args := range [][]string{{"serve", "--dir", "data"}, {"lb", "--upstream", "127.0.0.1:9"}} {
		t.Run(args[0], func(t *testing.T) {
			dir := t.TempDir()
			pair(t, dir, 1, "app.example.com")
			args = append(args, "app.example.com", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
			p := started(t, command(dir, nil, args...))
			takesAnother(t, p, dir)
			if code := p.end(t, syscall.SIGTERM); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.output)
			}
		})
	}
}

// takesAnother has a process that serves a certificate from dir take another one.
func takesAnother(t *testing.T, p *process, dir string) {
	t.Helper()
	u, err := url.Parse(p.url)
	if err != nil || u.Scheme != "https" || u.Hostname() != "app.example.com" {
		t.Fatalf("it says it is at %s", p.url)
	}
	serial := func() int64 {
		d := tls.Dialer{Config: &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true}} // its own root
		c, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", u.Port()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	pair(t, dir, 2, "app.example.com")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for serial() != 2 {
		select {
		case <-ctx.Done():
			t.Fatal("a SIGHUP does not take a new certificate")
		case <-tick.C:
		}
	}
}
