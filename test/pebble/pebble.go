// Package pebble gives tests a real ACME authority, Let's Encrypt's Pebble, and the
// DNS server that it asks, built from the module in acme. Every name leads to
// 127.0.0.1.
package pebble

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/test/built"
)

const module = "github.com/letsencrypt/pebble/v2/cmd/"

// Programs are the paths of the authority and of the DNS server, built if need be.
func Programs(ctx context.Context) (authority, dns string, err error) {
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "acme")
	if authority, err = built.Program(ctx, dir, module+"pebble", "pebble"); err == nil {
		dns, err = built.Program(ctx, dir, module+"pebble-challtestsrv", "pebble-challtestsrv")
	}
	return authority, dns, err
}

// Server is an ACME authority.
type Server struct {
	Directory string // its URL
	RootFile  string // PEM: whom its own TLS is believed from

	pool       *x509.CertPool
	management string
}

// Start starts one that asks for http-01 at one port of this machine and for
// tls-alpn-01 at another. It ends with the test.
func Start(t testing.TB, httpPort, tlsPort int) *Server {
	t.Helper()
	building, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	authority, dns, err := Programs(building)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ports := localclustertest.Ports(t, 4)
	s := &Server{
		Directory:  "https://" + ports[0].Addr() + "/dir",
		RootFile:   filepath.Join(dir, "root.pem"),
		management: "https://" + ports[1].Addr(),
	}
	s.writeCertificate(t, dir)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress":           ports[0].Addr(),
		"managementListenAddress": ports[1].Addr(),
		"certificate":             s.RootFile, "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": httpPort, "tlsPort": tlsPort, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "90 days", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	nameServer := ports[2].Addr()
	run(t, nil, dns, "-dnsserver", nameServer, "-management", ports[3].Addr(),
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", "")
	run(t, []string{"PEBBLE_VA_NOSLEEP=1"}, authority, "-config", file, "-dnsserver", nameServer)
	s.await(t, "http://"+ports[3].Addr()+"/")
	s.await(t, s.Directory)
	return s
}

// Roots are those of the certificates that it gives.
func (s *Server) Roots(t testing.TB) *x509.CertPool {
	t.Helper()
	res, err := s.client().Get(s.management + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("the authority's root: %s, %v", text, err)
	}
	return pool
}

// Believed is whom the authority itself is believed from.
func (s *Server) Believed() *x509.CertPool { return s.pool }

func (s *Server) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.pool}, DisableKeepAlives: true},
		Timeout:   10 * time.Second,
	}
}

func (s *Server) await(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		res, err := s.client().Get(url)
		if err == nil {
			res.Body.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", url, err)
		case <-tick.C:
		}
	}
}

// writeCertificate gives the authority the one that httptest has for 127.0.0.1.
func (s *Server) writeCertificate(t testing.TB, dir string) {
	t.Helper()
	web := httptest.NewTLSServer(http.NotFoundHandler())
	defer web.Close()
	pair := web.TLS.Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.pool = x509.NewCertPool()
	s.pool.AddCert(web.Certificate())
	for name, block := range map[string]*pem.Block{
		s.RootFile:                    {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		filepath.Join(dir, "key.pem"): {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a program until the test ends, and shows what it said if the test fails.
func run(t testing.TB, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var said output
	cmd.Stdout, cmd.Stderr, cmd.Env = &said, &said, append(os.Environ(), env...)
	dieWithParent(cmd)
	started := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the child ends with this thread
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-done
		if t.Failed() {
			t.Logf("%s said\n%s", filepath.Base(name), said.String())
		}
	})
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.buf.String()
	return text[max(0, len(text)-8000):]
}
