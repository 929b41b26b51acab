package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando/server"
)

// TestBalancerDomain: a load balancer gets a certificate for its domain as a server
// does, and sends plain HTTP to HTTPS.
func TestBalancerDomain(t *testing.T) {
	like, authority := secure(t, "lb.example.com")
	ready := make(chan server.BalancerInfo, 1)
	b, err := server.NewBalancer(server.BalancerConfig{
		Upstreams: []string{"127.0.0.1:1"}, Admin: server.Off, HTTP: like.HTTP, TLS: like.TLS, Dir: filepath.Join(t.TempDir(), "data"),
		Log: slog.New(slog.DiscardHandler), OnReady: func(i server.BalancerInfo) { ready <- i },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	defer func() { stop(); <-done }()
	var info server.BalancerInfo
	select {
	case info = <-ready:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
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
