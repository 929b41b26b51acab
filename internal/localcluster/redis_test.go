package localcluster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pandobase/pando/internal/localcluster"
	"github.com/pandobase/pando/internal/localcluster/localclustertest"
)

func command(t *testing.T, r *localcluster.Redis, args ...string) string {
	t.Helper()
	out, err := r.Exec(t.Context(), args...)
	must(t, err)
	return out
}

// TestRedis: several hold each their own; a killed one comes back empty, or with
// the dump it is given; a frozen one is silent until it is thawed.
func TestRedis(t *testing.T) {
	t.Parallel()
	began := time.Now()
	servers := localclustertest.Redis(t, 3, localcluster.RedisOptions{})
	t.Logf("three servers after %v", time.Since(began))
	r := servers[0]
	command(t, r, "SET", "k", "old")
	dump, err := r.Save(t.Context())
	must(t, err)
	command(t, r, "SET", "k", "new")
	if got := command(t, servers[1], "GET", "k"); got != "" {
		t.Fatalf("another server answers %q", got)
	}

	must(t, r.Kill())
	if _, err := r.Exec(t.Context(), "PING"); err == nil {
		t.Fatal("a killed server answers")
	}
	must(t, r.Start(t.Context()))
	if got := command(t, r, "DBSIZE"); got != "0" {
		t.Fatalf("a killed server comes back with %s keys", got)
	}
	must(t, r.Restore(t.Context(), dump))
	if got := command(t, r, "GET", "k"); got != "old" {
		t.Fatalf("restored: %q, want the dump's value", got)
	}
	must(t, r.Wipe(t.Context()))
	if got := command(t, r, "DBSIZE"); got != "0" {
		t.Fatalf("wiped: %s keys", got)
	}

	must(t, r.Freeze())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Exec(ctx, "PING"); err == nil {
		t.Fatal("a frozen server answers")
	}
	must(t, r.Thaw())
	if got := command(t, r, "PING"); got != "PONG" {
		t.Fatalf("thawed: %q", got)
	}
}

// TestRedisACL: nobody comes without the user, and the user does not get beyond
// what a cache does.
func TestRedisACL(t *testing.T) {
	t.Parallel()
	r := localclustertest.Redis(t, 1, localcluster.RedisOptions{User: "pando", Password: "secret", TLS: true})[0]
	if !strings.HasPrefix(r.URL(), "rediss://pando:secret@127.0.0.1:") {
		t.Errorf("URL is %s", r.URL())
	}
	for line, allowed := range map[string]bool{
		"GETRANGE pando:k 0 9": true, "SET pando:k v": true, "GETRANGE other 0 9": false, "GET pando:k": false, "FLUSHALL": false, "KEYS *": false,
	} {
		said := command(t, r, append([]string{"ACL", "DRYRUN", "pando"}, strings.Fields(line)...)...)
		if (said == "OK") != allowed {
			t.Errorf("%s: %s", line, said)
		}
	}
	if said := command(t, r, "ACL", "LIST"); !strings.Contains(said, "user default off") {
		t.Errorf("users are\n%s", said)
	}
}
