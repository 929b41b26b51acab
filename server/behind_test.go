package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pandobase/pando/internal/cluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
)

// through is a client that asks a member as a load balancer does.
func through(t *testing.T, secret, address string) *http.Client {
	t.Helper()
	s, err := cluster.NewSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	front, err := s.Front("lb-of-a-test")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return front.Dial(ctx, address, "") }}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestMemberAnswersLoadBalancers: a member of a cluster answers nobody but load
// balancers, which prove that they are some; with --direct it answers everybody, and
// believes load balancers only.
func TestMemberAnswersLoadBalancers(t *testing.T) {
	_, url := localclustertest.Database(t)
	files := "file://" + t.TempDir()
	member := func(direct bool) *running {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Direct = url, testSecret, files, direct
		cfg.Advertise, cfg.Log = "127.0.0.1:0", slog.New(slog.NewTextHandler(t.Output(), nil))
		return start(t, cfg)
	}
	private, direct := member(false), member(true)
	status := func(c *http.Client, url string) (int, string) {
		t.Helper()
		res, err := c.Get(url)
		if err != nil {
			return 0, ""
		}
		defer res.Body.Close()
		return res.StatusCode, res.Header.Get("X-Pando-Load")
	}
	if code, _ := status(http.DefaultClient, private.info.URL+"/api/health"); code != 421 {
		t.Errorf("a client of a member gets %d", code)
	}
	if code, _ := status(http.DefaultClient, private.info.URL+"/readyz"); code != 200 {
		t.Errorf("a health check of a member gets %d", code)
	}
	if code, _ := status(http.DefaultClient, "http://"+private.info.Private+"/api/health"); code != 421 {
		t.Errorf("a client of a member's private address gets %d", code)
	}
	if code, load := status(http.DefaultClient, direct.info.URL+"/api/health"); code != 200 || load != "" {
		t.Errorf("a client of a member with --direct gets %d, load %q", code, load)
	}
	ours := through(t, testSecret, private.info.Private)
	if code, load := status(ours, "http://app.example/api/health"); code != 200 || load == "" {
		t.Errorf("a load balancer gets %d, load %q", code, load)
	}
	if code, _ := status(through(t, "another-secret-of-others", private.info.Private), "http://app.example/api/health"); code != 0 {
		t.Errorf("a load balancer of another cluster gets %d", code)
	}
	// The address that a client claims is nobody's; the one that a load balancer tells
	// is the client's.
	token := superuserOf(t, server.Place{Dir: filepath.Join(t.TempDir(), "cli"), Database: url}, direct.info.URL)
	seen := func(c *http.Client, base string) string {
		t.Helper()
		req, err := http.NewRequest("GET", base+"/api/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		req.Header.Set("X-Forwarded-For", "198.51.100.7")
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := seen(http.DefaultClient, direct.info.URL); !strings.Contains(got, `"realIP":"127.0.0.1"`) {
		t.Errorf("a client that forges its address is %s", got)
	}
	if got := seen(ours, "http://app.example"); !strings.Contains(got, `"realIP":"198.51.100.7"`) {
		t.Errorf("a client of a load balancer is %s", got)
	}
}
