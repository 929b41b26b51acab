package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/certs/certstest"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
)

// balance runs a load balancer until the test ends.
func balance(t *testing.T, cfg server.BalancerConfig) (*server.Balancer, server.BalancerInfo) {
	t.Helper()
	ready := make(chan server.BalancerInfo, 1)
	cfg.Log, cfg.OnReady = slog.New(slog.DiscardHandler), func(i server.BalancerInfo) { ready <- i }
	b, err := server.NewBalancer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	select {
	case info := <-ready:
		return b, info
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return nil, server.BalancerInfo{}
}

// TestBalancerDomain: a load balancer gets a certificate for its domain as a server
// does, and sends plain HTTP to HTTPS.
func TestBalancerDomain(t *testing.T) {
	like, authority := secure(t, "lb.example.com")
	_, info := balance(t, server.BalancerConfig{
		Upstreams: []string{"127.0.0.1:1"}, Admin: server.Off, HTTP: like.HTTP, TLS: like.TLS, Dir: filepath.Join(t.TempDir(), "data"),
	})
	if len(info.URLs) != 1 || !strings.HasPrefix(info.URLs[0], "https://lb.example.com:") {
		t.Fatalf("it says it is at %v", info.URLs)
	}
	c := browser(t, authority.Roots(t))
	soonTrue(t, "there is a certificate", func() bool {
		res, err := c.Get(info.URLs[0] + "/")
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.ProtoMajor == 2
	})
	res, err := c.Get("http://lb.example.com:" + portOf(like.HTTP) + "/x")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("Location"); res.StatusCode != http.StatusPermanentRedirect || got != info.URLs[0]+"/x" {
		t.Errorf("plain HTTP: %d %s", res.StatusCode, got)
	}
}

// TestBalancersShare: load balancers of a cluster share certificates by way of its
// servers. The authority reaches one of them, and another one asks for a certificate.
func TestBalancersShare(t *testing.T) {
	_, url := localclustertest.Database(t)
	like, authority := secure(t, "lbs.example.com")
	cfg := config(filepath.Join(t.TempDir(), "data"))
	cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Advertise = url, testSecret, "file://"+t.TempDir(), "127.0.0.1:0"
	cfg.Log = slog.New(slog.DiscardHandler)
	web := start(t, cfg)

	reached := server.BalancerConfig{
		Join: []string{web.info.Private}, ClusterSecret: testSecret, Admin: server.Off, HTTP: like.HTTP, TLS: like.TLS, Dir: t.TempDir(),
	}
	other := reached
	ports := localclustertest.Ports(t, 2)
	other.Join, other.Database = nil, url
	other.HTTP, other.TLS.HTTPS = ports[0].Addr(), ports[1].Addr()
	b, first := balance(t, reached)
	_, second := balance(t, other)
	c := browser(t, authority.Roots(t))
	cert := certificate(t, c, second.URLs[0])
	if got := certificate(t, c, first.URLs[0]); !got.Equal(cert) {
		t.Error("each has a certificate of its own")
	}

	certstest.Run(t, func(t *testing.T) func() certstest.Storage {
		return func() certstest.Storage {
			s, err := server.SharedBy(b)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			return s
		}
	})
}
