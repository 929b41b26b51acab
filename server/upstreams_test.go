package server_test

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/lb"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
	"github.com/pandobase/pando/server"
)

// known is what a balancer knows of upstreams.
type known struct {
	mu   sync.Mutex
	list []lb.Upstream
}

func (k *known) set(list []lb.Upstream) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = list
}

// at is the upstream at an address.
func (k *known) at(address string) (lb.Upstream, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.list, func(u lb.Upstream) bool { return u.Address == address })
	if i < 0 {
		return lb.Upstream{}, false
	}
	return k.list[i], true
}

// follow has a balancer's source tell k, until the test ends.
func follow(t *testing.T, cfg server.BalancerConfig) *known {
	t.Helper()
	source, err := server.SourceOf(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	k := new(known)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- source.Follow(ctx, k.set) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; ctx.Err() == nil {
			t.Error(err)
		}
	})
	return k
}

// notice is ample for what takes a moment, and half of what a row is waited for that has
// gone without a word. test/members has the goal, a second.
const notice = 5 * time.Second

func within(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !f(); <-tick.C {
		if time.Since(began) > notice {
			t.Fatalf("not within %s: %s", notice, what)
		}
	}
}

// TestMembersAreFound: a balancer that knows one member, or the database, finds those
// that join, learns who is drained and who goes, and reaches each as the one that it is.
func TestMembersAreFound(t *testing.T) {
	_, url := localclustertest.Database(t)
	files := "file://" + t.TempDir()
	member := func() *running {
		cfg := config(filepath.Join(t.TempDir(), "data"))
		cfg.Database, cfg.ClusterSecret, cfg.Blob, cfg.Advertise = url, testSecret, files, "127.0.0.1:0"
		cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
		return start(t, cfg)
	}
	a := member()
	ways := map[string]*known{
		"--join":     follow(t, server.BalancerConfig{Join: []string{"127.0.0.1:1", a.info.Private}, ClusterSecret: testSecret}),
		"--database": follow(t, server.BalancerConfig{Database: url, ClusterSecret: testSecret}),
	}
	for name, k := range ways {
		within(t, name+" finds the first", func() bool { _, ok := k.at(a.info.Private); return ok })
	}
	b := member()
	for name, k := range ways {
		within(t, name+" finds one that has joined", func() bool { _, ok := k.at(b.info.Private); return ok })
	}
	up, _ := ways["--join"].at(b.info.Private)
	answer := func(u lb.Upstream) int {
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return u.Dial(ctx) }}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Get("http://app.example/api/health")
		if err != nil {
			return 0
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	if code := answer(up); code != 200 {
		t.Errorf("it answers %d", code)
	}
	if age := time.Since(up.Since); age < 0 || age > 10*time.Second {
		t.Errorf("it joined %s ago", age)
	}
	// An event stream on b, to see it end.
	stream, err := (&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return up.Dial(ctx) }}}).
		Get("http://app.example/api/realtime")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	nodes, err := server.OpenNodes(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nodes.Close()
	list, err := nodes.List(t.Context())
	if err != nil || len(list) != 2 || slices.ContainsFunc(list, func(n server.Node) bool { return n.State != "up" }) {
		t.Errorf("%+v, %v", list, err)
	}
	ready := func(r *running) bool {
		res, err := http.Get(r.info.URL + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == 200
	}
	drained := func(yes bool) {
		t.Helper()
		n, err := nodes.Drain(t.Context(), b.info.Private, yes)
		if err != nil || n.ID != up.ID || n.Draining != yes {
			t.Fatalf("%+v, %v", n, err)
		}
		for name, k := range ways {
			within(t, name+" is told", func() bool { u, ok := k.at(b.info.Private); return ok && u.Draining == yes })
		}
		within(t, "the server knows", func() bool { return ready(b) != yes })
	}
	drained(true)
	last := ""
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if lines.Text() != "" {
			last = lines.Text()
		}
	}
	if !strings.HasPrefix(last, "retry:") {
		t.Errorf("the stream ends with %q", last)
	}
	if code := answer(up); code != 200 {
		t.Errorf("one that is drained answers %d", code)
	}
	drained(false)
	if _, err := nodes.Remove(t.Context(), up.ID[:6]); err == nil || !strings.Contains(err.Error(), "alive") {
		t.Errorf("one that is alive is removed: %v", err)
	}
	if _, err := nodes.Drain(t.Context(), "nobody", true); err == nil || !strings.Contains(err.Error(), "node list") {
		t.Errorf("one that is not there is drained: %v", err)
	}
	if err := b.end(); err != nil {
		t.Error(err)
	}
	for name, k := range ways {
		within(t, name+" forgets one that has left", func() bool { _, ok := k.at(b.info.Private); return !ok })
	}
}

// TestBalancerSources: what does not go together is said.
func TestBalancerSources(t *testing.T) {
	for want, cfg := range map[string]server.BalancerConfig{
		"use one of both":      {Upstreams: []string{"a:1"}, Join: []string{"b:1"}, ClusterSecret: testSecret},
		"There is no upstream": {},
		"is no address":        {Join: []string{"b"}, ClusterSecret: testSecret},
		"PANDO_CLUSTER_SECRET": {Join: []string{"b:1"}},
		"no PostgreSQL URL":    {Database: "b", ClusterSecret: testSecret},
		"at least 16":          {Database: "postgres://b/c", ClusterSecret: "short"},
	} {
		if _, err := server.NewBalancer(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
	cfg := server.BalancerConfig{Upstreams: []string{"a:1"}, Database: "postgres://b/c"} // of the file that serve has, too
	if _, err := server.NewBalancer(cfg); err != nil {
		t.Error(err)
	}
}
