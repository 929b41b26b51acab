package lb

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ground is a running balancer.
type ground struct {
	t    *testing.T
	b    *Balancer
	addr string
	tls  bool
	url  string
	http *http.Client
	stop func() error
}

// start runs a balancer in front of handlers, until the test ends.
func start(t *testing.T, cfg Config, handlers ...http.HandlerFunc) *ground {
	t.Helper()
	for _, h := range handlers {
		cfg.Upstreams = append(cfg.Upstreams, Upstream{Address: upstreamOf(t, h)})
	}
	return run(t, cfg)
}

// upstreamOf is the address of a server that answers probes and leaves the rest to h.
func upstreamOf(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			return
		}
		h(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return strings.TrimPrefix(s.URL, "http://")
}

func run(t *testing.T, cfg Config) *ground {
	t.Helper()
	if cfg.Listen == nil {
		cfg.Listen = []Listen{{Address: "127.0.0.1:0"}}
	}
	if cfg.DrainDelay == 0 {
		cfg.DrainDelay = -1
	}
	if cfg.StopTimeout == 0 {
		cfg.StopTimeout = time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	ready := make(chan []net.Addr, 1)
	cfg.OnReady = func(addrs []net.Addr) { ready <- addrs }
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	g := &ground{t: t, b: b}
	select {
	case addrs := <-ready:
		g.addr = addrs[0].String()
	case err := <-done:
		t.Fatal(err)
	}
	g.tls, g.url = cfg.Listen[0].TLS != nil, "http://"+g.addr
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	if g.tls {
		g.url = "https://" + g.addr
		tr.TLSClientConfig, tr.ForceAttemptHTTP2 = anybody, false
	}
	g.http = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// Whoever stops it again waits as well: what it does last writes to this test's log.
	g.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		g.stop()
	})
	return g
}

// testWriter writes to the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// get is a GET whose body is read.
func (g *ground) get(path string) (*http.Response, string) {
	g.t.Helper()
	resp, err := g.http.Get(g.url + path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp, string(body)
}

// raw sends bytes over a connection of its own and reads what comes until the other
// side closes, as it must.
func (g *ground) raw(text string) string {
	g.t.Helper()
	c, err := g.dial()
	if err != nil {
		g.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		g.t.Fatal(err)
	}
	return ends(g.t, c)
}

// dial opens a connection that HTTP/1.1 is spoken on.
func (g *ground) dial() (net.Conn, error) {
	if g.tls {
		return tls.Dial("tcp", g.addr, anybody)
	}
	return net.Dial("tcp", g.addr)
}

// anybody is how clients connect: the certificate is not what is tested.
var anybody = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}

// secure is how TLS is spoken here.
var secure = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}
})

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in five seconds: %s", what)
		}
	}
}
